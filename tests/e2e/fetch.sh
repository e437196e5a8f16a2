#!/bin/bash
# fetch.sh - downloads are by https alone, whatever a server answers: the program's own options to curl, against a server on this machine
# that redirects to http and to a file. Only the address is another's: a `curl` in front of the real one puts it in the place of the last
# word. Without --proto-redir (or --proto) the real curl follows, as a test shows, so the others would see it missing.
. "$(dirname "$0")/lib.sh"
command -v curl >/dev/null && command -v openssl >/dev/null && command -v python3 >/dev/null ||
	{ echo "0 passed, 0 failed, 1 skipped: no curl, openssl or python3 here"; exit 77; }
CURL=$(command -v curl)

# An https server at $https, which redirects to what the path names, and an http server at $http; both note what was asked of them in ./asked.
servers() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
		-keyout key.pem -out cert.pem 2>/dev/null || fail "no certificate"
	cat >server.py <<'PY'
import http.server, os, ssl, sys, threading

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        kind = "https" if self.server is secure else "http"
        with open("asked", "a") as f:
            f.write(kind + " " + self.path + "\n")
        to = {"/to-http/x.npz": "http://127.0.0.1:%d/x.npz" % plain.server_port,
              "/to-file/x.npz": "file://" + sys.argv[1],
              "/to-https/x.npz": "https://127.0.0.1:%d/x.npz" % secure.server_port}.get(self.path)
        self.send_response(302 if to else 200)
        if to:
            self.send_header("Location", to)
        self.end_headers()
        if not to:
            self.wfile.write(b"served by " + kind.encode() + b"\n")

    def log_message(self, *of):
        pass

plain = http.server.HTTPServer(("127.0.0.1", 0), Answer)
secure = http.server.HTTPServer(("127.0.0.1", 0), Answer)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
secure.socket = context.wrap_socket(secure.socket, server_side=True)
threading.Thread(target=plain.serve_forever, daemon=True).start()
with open("ports.new", "w") as f:
    f.write("%d %d" % (secure.server_port, plain.server_port))
os.rename("ports.new", "ports")
secure.serve_forever()
PY
	echo 'a file of this machine' >secret
	# the server ends with the test, however that ends
	timeout 60 python3 server.py "$PWD/secret" & server=$!
	await 20 '[ -s ports ]'
	read -r https http <ports
	mkdir bin cache
	cat >bin/curl <<SH
#!/bin/bash
words=("\$@") n=\$((\$# - 1))
words[n]=\$ADDRESS
"$CURL" --noproxy '*' --cacert "$PWD/cert.pem" "\${words[@]:0:n}" \$MORE "\$ADDRESS"
code=\$?
for ((i = 0; i < n; i++)); do [ "\${words[i]}" != --output ] || cp "\${words[i + 1]}" "$PWD/got" 2>/dev/null; done
exit \$code
SH
	chmod +x bin/curl
	export ABLATE_CACHE=$PWD/cache
}
teardown() { [ -z "${server-}" ] || kill "$server" 2>/dev/null; }
fetch() { # ADDRESS [OPTIONS OF CURL]: what came is in ./got
	rm -f got asked
	run env PATH="$PWD/bin:$PATH" ADDRESS="$1" MORE="${2-}" "$ABLATE" -q stats fetch cifar10-edm
	exits 1
}
# curl says 1 for a protocol that is not allowed; nothing was taken from where it leads
refused() { says err 'curl failed (exit 1)'; check [ ! -e got ]; [ ! -e asked ] || says_not asked 'http /'; }

test_https_is_fetched_and_its_redirects_followed() {
	servers
	fetch "https://127.0.0.1:$https/x.npz"; says err 'not an .npz'; says got 'served by https'
	fetch "https://127.0.0.1:$https/to-https/x.npz"; says got 'served by https'
}

test_a_redirect_to_http_is_refused() {
	servers
	fetch "https://127.0.0.1:$https/to-http/x.npz"; says asked 'https /to-http/x.npz'; refused
	fetch "https://127.0.0.1:$https/to-http/x.npz" "--proto =http,https"; refused # by --proto-redir alone
	# what this test would see
	fetch "https://127.0.0.1:$https/to-http/x.npz" "--proto =http,https --proto-redir =http,https"; says got 'served by http'; says asked 'http /x.npz'
}

test_a_redirect_to_a_file_is_refused() {
	servers
	fetch "https://127.0.0.1:$https/to-file/x.npz"; says asked 'https /to-file/x.npz'; refused
	fetch "https://127.0.0.1:$https/to-file/x.npz" "--proto =file,https"; refused
	fetch "https://127.0.0.1:$https/to-file/x.npz" "--proto =file,https --proto-redir =file,https"; says got 'a file of this machine'
}

test_other_addresses_are_refused() {
	servers
	fetch "http://127.0.0.1:$http/x.npz"; refused
	fetch "http://127.0.0.1:$http/x.npz" "--proto =http"; says got 'served by http'
	fetch "file://$PWD/secret"; refused
	fetch "file://$PWD/secret" "--proto =file"; says got 'a file of this machine'
}

run_tests
