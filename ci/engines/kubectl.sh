#!/bin/sh
# kubectl.sh submit|query|cancel - --engine command of ablate on Kubernetes: a Job for each task, made by kubectl. An example: copy it, adapt
# it, and name the copy in [command] of a grid or of the site's file:
#
#     [command]
#     submit  = ["/opt/engines/kubectl.sh", "submit"]
#     query   = ["/opt/engines/kubectl.sh", "query"]
#     cancel  = ["/opt/engines/kubectl.sh", "cancel"]
#     memory  = "16Gi"
#     program = "/usr/bin/ablate"                       # where it is in the image
#
#     $ABLATE_K8S_IMAGE   an image with ablate, sh and timeout (coreutils)
#     $ABLATE_K8S_CLAIM   the PersistentVolumeClaim with the folders of database, data and cache, which many nodes may write (ReadWriteMany)
#     $ABLATE_K8S_MOUNT   where it is mounted: here, where ablate is started, and in the pods, under the same name
#
# It assumes kubectl with a context whose namespace is the right one, and jq. A task that is told to stop (a node is drained, a pod is
# displaced, its time limit) writes a checkpoint within the grace period and exits 75: podFailurePolicy (Kubernetes 1.26) then makes another
# pod of it; any other exit code fails the Job. `throttle` is not looked at: a quota of the namespace does that.
set -eu
GRACE_S=120
die() { echo "kubectl.sh: $*" >&2; exit 1; }

# Jobs of ours, as Kubernetes has them: one object a line.
jobs() { kubectl get jobs -l app=ablate -o json >"$work/list" && jq -c '.items[]' "$work/list"; }
over='def over: any(.status.conditions[]?; (.type == "Complete" or .type == "Failed") and .status == "True");'

manifest() {
	jq --arg image "$ABLATE_K8S_IMAGE" --arg claim "$ABLATE_K8S_CLAIM" --arg mount "$ABLATE_K8S_MOUNT" --argjson grace $GRACE_S '
	def some(key; value): if value == null or value == 0 then {} else {(key): (value | tostring)} end;
	. as $all | .resources as $r |
	{apiVersion: "v1", kind: "List", items: [.tasks[] | {
		apiVersion: "batch/v1", kind: "Job",
		metadata: {name: .name, labels: {app: "ablate", "ablate-database": $all.database, "ablate-plan": $all.plan[:12]},
			annotations: {"ablate-label": .label}},
		spec: {
			backoffLimit: 0,
			podFailurePolicy: {rules: [
				{action: "Ignore", onExitCodes: {operator: "In", values: [75]}},
				{action: "Ignore", onPodConditions: [{type: "DisruptionTarget"}]}]},
			template: {metadata: {labels: {app: "ablate"}}, spec: {
				restartPolicy: "Never", terminationGracePeriodSeconds: $grace,
				containers: [{
					name: "task", image: $image, workingDir: $all.dir,
					command: (["sh", "-c", "exec \"$@\" >>\"$0\" 2>&1", .log] +
						(if $r.limit_s then ["timeout", "--preserve-status", "-s", "TERM", ($r.limit_s | floor | tostring)] else [] end) + .command),
					resources: {
						requests: (some("cpu"; $r.processors) + some("memory"; $r.memory)),
						limits: (some("cpu"; $r.processors) + some("memory"; $r.memory) + some("nvidia.com/gpu"; $r.gpus))},
					volumeMounts: [{name: "shared", mountPath: $mount}]}],
				volumes: [{name: "shared", persistentVolumeClaim: {claimName: $claim}}]}}}}]}' "$work/request"
}

submit() {
	: "${ABLATE_K8S_IMAGE:?is not set}" "${ABLATE_K8S_CLAIM:?is not set}" "${ABLATE_K8S_MOUNT:?is not set}"
	# a Job of the same name that is over makes room; one that is not was submitted by an ablate that was interrupted, and is the answer
	jobs | jq -r --slurpfile request "$work/request" "$over"' select(over) | .metadata.name | select(IN($request[0].tasks[].name))' >"$work/over"
	[ ! -s "$work/over" ] || xargs kubectl delete jobs --ignore-not-found <"$work/over" >&2
	manifest >"$work/manifest"
	kubectl create -f "$work/manifest" >"$work/created" 2>"$work/refused" || cat "$work/refused" >&2
	jobs | jq -s --slurpfile request "$work/request" '[.[].metadata.name] as $there |
		{jobs: [$request[0].tasks[] | select(.name | IN($there[])) | {index, id: .name}]}'
}

query() {
	jobs | jq -s --slurpfile request "$work/request" "$over"' {jobs: [.[] | select(.metadata.name | IN($request[0].jobs[])) |
		{id: .metadata.name,
		 state: (if any(.status.conditions[]?; .type == "Complete" and .status == "True") then "done"
			elif over then "failed" elif (.status.ready // 0) > 0 or .metadata.deletionTimestamp then "running" else "pending" end),
		 reason: ([.status.conditions[]? | select(.status == "True") | .message // empty] | last // "")}]}'
}

cancel() { # pods get TERM, and the Jobs stay until these have ended
	jq -r '.jobs[]' "$work/request" | xargs kubectl delete jobs --ignore-not-found --cascade=foreground --wait=false >&2
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/request"
[ "$(jq .schema "$work/request")" = 1 ] || die "a request of another schema"
case ${1-} in
submit | query | cancel) "$1" ;;
*) die "submit, query or cancel" ;;
esac
