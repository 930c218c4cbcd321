"""Makes order.json: permutations and draws from NumPy's Philox (numpy 2.4.6).

python3 order.py > order.json
"""
import json
from numpy import array, uint64
from numpy.random import Philox


class Words:
    def __init__(self, seed, stream, counter):
        # As arrays: in a list, NumPy makes a float of what exceeds an int64.
        self.bits = Philox(key=array([seed, stream], uint64), counter=array([0, 0, counter, 1], uint64))

    def below(self, n):
        # Python's integers are exact: word*n // 2^64, with the words that
        # would favour a result drawn again.
        while True:
            product = int(self.bits.random_raw()) * n
            if product % 2**64 >= 2**64 % n:
                return product // 2**64


def permutation(n, *key):
    words, order = Words(*key), list(range(n))
    for i in range(n - 1, 0, -1):
        j = words.below(i + 1)
        order[i], order[j] = order[j], order[i]
    return order


def draw(count, n, *key):
    words = Words(*key)
    return [words.below(n) for _ in range(count)]


top = 2**64 - 1
keys = [(1, 2, 0), (1, 2, 1), (1, 3, 0), (2, 2, 0), (top, top, top)]
print(json.dumps({
    "permutations": [{"n": n, "key": k, "want": permutation(n, *k)} for k in keys for n in (1, 2, 10, 33)],
    # With n = 3*2^61 a quarter of all words is drawn again.
    "draws": [{"n": n, "key": k, "want": draw(9, n, *k)} for k in keys for n in (1, 10, 60000, 3 * 2**61)],
}))
