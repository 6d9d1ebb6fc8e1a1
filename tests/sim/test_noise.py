"""Noise that depends on seed and count only."""

from statistics import mean, stdev

from archon_ioc.sim.noise import Noise


def taken(seed: int, count: int, numbers: int = 100) -> list[float]:
    noise = Noise(seed)
    noise.begin(count)
    return list(noise.take(numbers))


def test_the_same_count_has_the_same_noise() -> None:
    assert taken(1, 7) == taken(1, 7)
    assert taken(1, 7) != taken(1, 8)
    assert taken(1, 7) != taken(2, 7)


def test_what_was_taken_is_not_given_again() -> None:
    noise = Noise(1)
    noise.begin(3)
    assert [*noise.take(10), *noise.take(20)] == taken(1, 3, 30)


def test_there_is_enough_for_every_count() -> None:
    assert all(len(taken(1, count, 4096)) == 4096 for count in range(0, 100_000, 999))


def test_it_is_normal() -> None:
    numbers = taken(1, 0, 4096)
    assert abs(mean(numbers)) < 0.1
    assert 0.9 < stdev(numbers) < 1.1
