#!/usr/bin/python3
"""The memorisation scores in numpy, scipy and scikit-learn, written from their definitions (metrics/distances/authpct.h, copying_ct.h,
fls.h, fld.h, mog.h), on vectors that tests/metrics/distances/test_memory.c makes from the same names.

    memory_peer.py           prints the constants of that test

Likelihoods are differentiated by hand, in float64 throughout; C_T's cells are scikit-learn's and its U is scipy's.
"""
import numpy as np
from scipy.special import logsumexp
from scipy.stats import mannwhitneyu
from sklearn.cluster import KMeans

MASK = (1 << 64) - 1


def fnv(text):
    h = 0xCBF29CE484222325
    for c in text.encode():
        h = ((h ^ c) * 0x100000001B3) & MASK
    return h


def splitmix(x):
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def formula(name, n, d):
    """tests/common/formula.h: formula_u, in [-1, 1)."""
    h = fnv(name)
    return np.array([(splitmix((h + i) & MASK) >> 40) / 2.0**23 - 1 for i in range(n * d)]).reshape(n, d)


def clustered(name, n, d):
    """Three clusters, in turn, far from each other."""
    x = formula(name, n, d)
    for i in range(n):
        x[i, i % 3] += 8
    return x.astype(np.float32).astype(np.float64)


def sets(d, m, n, l):
    train, test, generated = clustered("memory-train", l, d), clustered("memory-test", n, d), clustered("memory-made", m, d)
    for i in range(m // 4):  # near copies
        generated[i] = (train[i] + generated[i] / 1024).astype(np.float32)
    return generated, test, train


def squared(a, b):
    return ((a[:, None, :] - b[None, :, :]) ** 2).sum(-1)


def authpct(generated, train):
    own = squared(train, train)
    np.fill_diagonal(own, np.inf)
    d2 = squared(generated, train)
    return 100 * np.mean(own.min(1)[d2.argmin(1)] < d2.min(1))


def ct(generated, test, train):
    if train.shape[1] > 64:
        mean = train.mean(0)
        basis = np.linalg.svd(train - mean, full_matrices=False)[2][:64]
        generated, test, train = ((x - mean) @ basis.T for x in (generated, test, train))
    cells = KMeans(3, n_init=10, random_state=0).fit(train)
    of = [cells.predict(x) for x in (generated, test, train)]
    z, share = np.zeros(3), np.zeros(3)
    for c in range(3):
        g, u, t = (x[k == c] for x, k in zip((generated, test, train), of))
        n, m = len(u), len(g)
        if m <= 20:
            continue
        stat = mannwhitneyu(squared(g, t).min(1), squared(u, t).min(1)).statistic
        z[c] = (stat - (n * m / 2 - 0.5)) / np.sqrt(n * m * (n + m + 1) / 12)
        share[c] = n
    return (z * share).sum() / share.sum()


def terms(d2, log_variance, d):
    return -0.5 * d2 / np.exp(log_variance) - 0.5 * d * log_variance


def fit(centre, x, rounds, batch, lr, drops, low, high, at_data=False, background=False, per_dimension=False, stop=0.0):
    n, d = x.shape
    m = len(centre)
    d2 = squared(x, centre)
    p = np.zeros(m + 1)
    if at_data:
        p[:m] = np.log((d2.min(0) + 1e-3) / d)
    if background:
        d2 = np.hstack([d2, 0.81 * squared(x, x.mean(0)[None])])
    else:
        p = p[:m]
    weight = np.where(np.arange(len(p)) < m, -np.log(m), 0)
    mean, square, t, losses = np.zeros_like(p), np.zeros_like(p), 0, []
    for number in range(rounds):
        seen = []
        for start in range(0, n, batch or n):
            b = d2[start : start + (batch or n)]
            log_terms = terms(b, p, d) + weight
            total = logsumexp(log_terms, axis=1)
            scale = d if per_dimension else 1
            seen.append(-total.mean() / scale)
            g = -(np.exp(log_terms - total[:, None]) * (0.5 * b / np.exp(p) - 0.5 * d)).mean(0) / scale
            t += 1
            mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g * g
            p = p - (lr if number < drops else lr / 10) * (mean / (1 - 0.9**t)) / (np.sqrt(square / (1 - 0.999**t)) + 1e-8)
            p[:m] = p[:m].clip(low, high)
        losses.append(np.mean(seen))
        if stop and number > 5 and max(abs(losses[-1] - losses[-k]) for k in range(2, 6)) < stop:
            break
    return p[:m], losses


def nll(log_variance, centre, x):
    return -(logsumexp(terms(squared(x, centre), log_variance, x.shape[1]), axis=1) - np.log(len(centre))).mean()


def fls(generated, test, train, seed):
    size, r = min(len(train) // 2, len(test), len(generated), 10000), np.random.RandomState(seed)
    test = test[r.choice(len(test), size, replace=False)]
    generated = generated[r.choice(len(generated), size, replace=False)]
    train = train[r.choice(len(train), 2 * size, replace=False)]
    train, baseline = train[:size], train[size:]
    everything = np.vstack([train, baseline, test, generated])
    mean, sd = everything.mean(0), everything.std(0, ddof=1)
    train, baseline, test, generated = ((x - mean) / sd for x in (train, baseline, test, generated))
    recipe = dict(rounds=100, batch=0, lr=0.5, drops=50, low=-100, high=20)
    p, _ = fit(generated, train, **recipe)
    q, _ = fit(baseline, train, **recipe)
    d = train.shape[1]
    closer = logsumexp(terms(squared(train, generated), p, d), axis=0) > logsumexp(terms(squared(test, generated), p, d), axis=0)
    return 100 * np.exp(-2 * (nll(p, generated, test) - nll(q, baseline, test)) / d), 100 * closer.mean() - 50, size


FLD = dict(rounds=50, batch=10000, lr=0.5, drops=50, low=-40, high=40, at_data=True, background=True, per_dimension=True, stop=5e-4)


def fld(generated, test, train, seed):
    r, d = np.random.RandomState(seed), train.shape[1]
    if len(generated) > 10000:
        generated = generated[r.choice(len(generated), 10000, replace=False)]
    mean, sd = test.mean(0), test.std(0, ddof=1)
    generated, test, train = ((x - mean) / sd for x in (generated, test, train))
    p, losses = fit(generated, train[r.choice(len(train), len(train), replace=False)], **FLD)
    order = r.choice(len(train), len(train), replace=False)
    half = min(len(generated), len(train) // 2)
    centre, rest = train[order[:half]], train[order[half:]]
    q, base_losses = fit(centre, rest[r.choice(len(rest), len(rest), replace=False)], **FLD)
    at_test, at_train, base = nll(p, generated, test) / d, nll(p, generated, train) / d, nll(q, centre, test) / d
    return 100 * (at_test - base), 100 * (at_train - at_test), len(losses), len(base_losses)


def main():
    for d, m, n, l in (5, 96, 60, 120), (70, 90, 66, 150):
        generated, test, train = sets(d, m, n, l)
        print(f"d {d}, {m} generated, {n} test, {l} training")
        print(f"  authpct {authpct(generated, train):.17g}  ct {ct(generated, test, train):.12g}")
        print("  fls %.12g overfit %.12g size %d" % fls(generated, test, train, 7))
        print("  fld %.12g gap %.12g rounds %d %d" % fld(generated, test, train, 7))
    generated, test, train = sets(5, 40, 30, 70)
    p, losses = fit(generated, train, 9, 16, 0.3, 5, -3, 0.4, at_data=True, background=True, per_dimension=True)
    print(f"mog, batches of 16: p0 {p[0]:.12g} p39 {p[39]:.12g} sum {p.sum():.12g} loss {losses[-1]:.12g} nll {nll(p, generated, test):.12g}")


if __name__ == "__main__":
    main()
