"""Plain Python without an array: primes by a sieve in a list, words counted in a dictionary."""

from collections import Counter

LIMIT = 20_000
sieve = [True] * LIMIT
sieve[:2] = [False, False]
for number in range(2, int(LIMIT**0.5) + 1):
    if sieve[number]:
        sieve[number * number :: number] = [False] * len(range(number * number, LIMIT, number))
endings = Counter(number % 10 for number, prime in enumerate(sieve) if prime)
print(sum(sieve), dict(sorted(endings.items())))
