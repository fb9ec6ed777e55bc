"""Hone's random numbers (rl/random/philox.h), written again: which rows a step takes, in which order, and the
weights that a fresh score head begins with."""
import math

MASK = 0xFFFFFFFF
INIT, ORDER = 1, 2


def philox4x32(c, k):
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = ((p1 >> 32) ^ c[1] ^ k[0], p1 & MASK, (p0 >> 32) ^ c[3] ^ k[1], p0 & MASK)
        k = ((k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK)
    return c


class Random:
    def __init__(self, seed, stream):
        self.key = philox4x32((stream, 0x686F6E65, 0, 0), (seed & MASK, seed >> 32))[:2]

    def bits(self, a, b):
        return philox4x32((a & MASK, a >> 32, b & MASK, b >> 32), self.key)

    def uniform(self, a, b):
        r = self.bits(a, b)
        return ((r[0] << 32 | r[1]) >> 11) * 2.0**-53

    def below(self, bound, a, b):
        limit = 2**64 - 1 - (2**64 - 1) % bound
        for attempt in range(256):
            r = self.bits(a, b + (attempt << 56))
            for word in (r[0] << 32 | r[1], r[2] << 32 | r[3]):
                if word < limit:
                    return word % bound

    def permutation(self, count, which):
        order = list(range(count))
        for i in range(count - 1, 0, -1):
            j = self.below(i + 1, which, i)
            order[i], order[j] = order[j], order[i]
        return order


def rows_of_steps(seed, rows, batch, steps):
    """The row numbers of each step: every epoch is a permutation, cut into batches."""
    random, per_epoch = Random(seed, ORDER), -(-rows // batch)
    return [random.permutation(rows, step // per_epoch)[step % per_epoch * batch:][:batch] for step in range(steps)]


def fresh_score_head(seed, width):
    """Normal numbers of standard deviation 1 / sqrt(width + 1), by Box and Muller."""
    random = Random(seed, INIT)
    return [math.sqrt(-2 * math.log(1 - random.uniform(0, 2 * i))) * math.cos(2 * math.pi * random.uniform(0, 2 * i + 1)) / math.sqrt(width + 1)
            for i in range(width)]
