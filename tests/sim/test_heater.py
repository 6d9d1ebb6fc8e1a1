"""Control loops against a cryostat."""

import time

import pytest

from archon_ioc.sim.cryostat import Cryostat
from archon_ioc.sim.heater import HeaterCard, Loop, LoopSettings
from archon_ioc.sim.noise import Noise

SENSORS = {f"SENSOR{x}{key}": value for x in "ABC" for key, value in (("TYPE", 4), ("LABEL", x))}
PI = {"HEATERAENABLE": 1, "HEATERATARGET": -100, "HEATERASENSOR": 0, "HEATERAP": 30, "HEATERAI": 1}


class Bench:
    """A heater card with its cryostat and its log."""

    def __init__(self, sensors: str = "ABC", **settings: object) -> None:
        self.cryostat = Cryostat()
        self.log: list[str] = []
        self.card = HeaterCard(sensors, self.cryostat, self.log.append)
        self.settings: dict[str, str] = {}
        self.apply(0, **SENSORS, **settings)

    def apply(self, at: float, **settings: object) -> None:
        self.settings |= {key: str(value) for key, value in settings.items()}
        self.card.apply(self.settings, at)

    def celsius(self, at: float, sensor: int = 0) -> float:
        self.card.advance(at)
        return self.card.sensors[sensor].celsius

    def volts(self, at: float, heater: str = "A") -> float:
        self.card.advance(at)
        return self.card.loops[heater].volts

    def parts(self, at: float, heater: str = "A") -> tuple[int, int, int]:
        self.card.advance(at)
        return self.card.loops[heater].contributions


# Regulation


def test_a_loop_with_an_integral_reaches_its_target() -> None:
    bench = Bench(**PI)
    assert bench.celsius(600) == pytest.approx(-100, abs=0.01)
    p, i, d = bench.parts(1200)
    assert abs(p) < 100
    assert i == pytest.approx(1000 * bench.volts(1200), abs=100)
    assert d == 0


def test_without_an_integral_some_error_remains() -> None:
    bench = Bench(**{**PI, "HEATERAP": 10, "HEATERAI": 0})
    celsius = bench.celsius(3000)
    assert -100.6 < celsius < -100.3
    assert bench.volts(3000) == pytest.approx(10 * (-100 - celsius), abs=0.02)
    assert bench.parts(3000)[1:] == (0, 0)


def test_contributions_are_in_millivolts() -> None:
    bench = Bench(**{**PI, "HEATERAP": 3, "HEATERAI": 2, "HEATERATARGET": -94, "HEATERAD": 5})
    before = bench.cryostat.celsius[0]
    p, i, d = bench.parts(1)
    error = -94 - bench.celsius(1)
    assert before == -95
    assert (p, i, d) == pytest.approx((3000 * error, 2000 * error, 0), abs=1)
    assert bench.volts(1) == pytest.approx((p + i + d) / 1000, abs=0.002)
    assert bench.parts(2)[2] == pytest.approx(5000 * (-94 - bench.celsius(2) - error), abs=1)


def test_the_limit_holds_for_regulation() -> None:
    bench = Bench(**{**PI, "HEATERATARGET": 0, "HEATERALIMIT": 8})
    assert bench.volts(10) == 8
    bench.apply(10, HEATERALIMIT=40)
    assert bench.volts(20) == 25


def test_an_output_at_its_end_does_not_wind_the_integral_up() -> None:
    bench = Bench(**{**PI, "HEATERATARGET": -80, "HEATERALIMIT": 10})
    hottest = max(bench.celsius(at) for at in range(10, 3000, 5))
    assert bench.celsius(3000) == pytest.approx(-80, abs=0.05)
    assert hottest < -78


def test_the_sum_of_the_errors_is_limited() -> None:
    bench = Bench(**{**PI, "HEATERAP": 1, "HEATERAIL": 2})
    assert max(bench.parts(at)[1] for at in range(10, 2000, 10)) == 2000
    assert bench.celsius(2000) < -101


def test_a_disabled_heater_gives_nothing() -> None:
    bench = Bench(**{**PI, "HEATERATARGET": -80})
    assert bench.volts(10) > 0
    bench.apply(10, HEATERAENABLE=0)
    assert (bench.volts(11), bench.parts(11)) == (0, (0, 0, 0))


def test_a_forced_heater_ignores_limit_and_temperature() -> None:
    bench = Bench(**PI, HEATERALIMIT=5, HEATERAFORCE=1, HEATERAFORCELEVEL=20)
    bench.apply(0, SENSORAUPPERLIMIT=-100, SENSORALABEL="")
    assert bench.volts(10) == 20
    bench.apply(10, HEATERAENABLE=0, HEATERAFORCELEVEL=99)
    assert bench.volts(11) == 25


def test_the_second_heater_has_its_own_plate() -> None:
    bench = Bench(HEATERBENABLE=1, HEATERBSENSOR=1, HEATERBTARGET=-115, HEATERBP=30, HEATERBI=1)
    assert bench.celsius(3000, sensor=1) == pytest.approx(-115, abs=0.01)
    assert bench.volts(3000, "B") > 1
    assert bench.volts(3000, "A") == 0


def test_a_heater_is_where_the_sensor_is_that_first_regulated_it() -> None:
    bench = Bench(**{**PI, "HEATERASENSOR": 2, "HEATERATARGET": -115})
    assert bench.celsius(3000, sensor=2) == pytest.approx(-115, abs=0.01)
    bench.apply(3000, HEATERASENSOR=0, HEATERATARGET=-90)
    assert bench.volts(3100) == 25, "it heats the wrong plate"
    assert bench.celsius(3100, sensor=0) < -115


def test_a_heater_module_without_a_third_sensor_takes_the_last_one() -> None:
    bench = Bench("AB", **{**PI, "HEATERASENSOR": 2})
    assert len(bench.card.readings(Noise())) == 2 + 2 + 6
    assert bench.volts(10) > 0


# Ramp, update time


def test_a_ramp_moves_the_set_point_from_the_temperature() -> None:
    bench = Bench(**PI)
    bench.card.advance(1000)
    bench.apply(1000, HEATERATARGET=-90, HEATERARAMP=1, HEATERARAMPRATE=20)
    assert bench.card.loops["A"].set_point == pytest.approx(-100)
    assert bench.celsius(1100) == pytest.approx(-98, abs=0.1)
    assert bench.celsius(1700) == pytest.approx(-90, abs=0.05)


def test_a_ramp_goes_downwards_too() -> None:
    loop = Loop()
    loop.settings = LoopSettings(is_enabled=True, target=-110, ramp_kelvin=0.5)
    assert [loop.set_point for _ in range(3) if loop.regulate(-100, 1.0) is None] == [-100.5, -101.0, -101.5]


@pytest.mark.parametrize("milliseconds", [1, 100, 1000, 2500])
def test_the_loop_works_at_any_pace(milliseconds: int) -> None:
    gains = {"HEATERAP": 10, "HEATERAI": 0}
    bench = Bench(**{**PI, **gains, "HEATERUPDATETIME": milliseconds})
    for at in range(0, 3000, 50):
        bench.card.advance(at)
    assert bench.celsius(3000) == pytest.approx(-100.45, abs=0.1)


def test_a_slow_loop_keeps_its_output_between_updates() -> None:
    bench = Bench(**{**PI, "HEATERATARGET": -94, "HEATERUPDATETIME": 10_000})
    first = bench.parts(10.5)
    assert first[0] > 0
    assert bench.parts(19.5) == first
    assert bench.parts(20.5) != first


# Limits of sensors


def test_a_sensor_out_of_its_limits_switches_the_heater_off_until_it_is_back() -> None:
    bench = Bench(**{**PI, "HEATERATARGET": -80})
    assert bench.volts(10) > 0
    bench.apply(10, SENSORAUPPERLIMIT=-96)
    assert bench.volts(12) == 0
    assert bench.log == ["Heater A off: sensor A out of limits"]
    assert any(bench.volts(at) for at in range(20, 600)), "it has cooled down"
    assert bench.celsius(1000) == pytest.approx(-96, abs=1)
    assert len(bench.log) == 1
    bench.apply(1000, HEATERAP=20)
    assert any(bench.volts(at) == 0 for at in range(1000, 1100))
    assert len(bench.log) == 2


def test_a_sensor_that_is_not_there_regulates_nothing() -> None:
    bench = Bench(**PI)
    bench.apply(0, SENSORALABEL="")
    assert bench.volts(10) == 0
    assert bench.log[-1] == "Heater A off: sensor A out of limits"


def test_a_heater_may_be_cut_off_and_come_back() -> None:
    bench = Bench(**{**PI, "HEATERATARGET": -80})
    bench.card.cut = frozenset("A")
    assert bench.volts(10) == 0
    bench.card.cut = frozenset()
    assert bench.volts(20) > 0
    assert len(bench.log) == 1


# Long times


@pytest.mark.parametrize(
    "settings",
    [
        PI,
        {**PI, "HEATERAP": 10, "HEATERAI": 0},
        {**PI, "HEATERATARGET": -60, "HEATERALIMIT": 5},
        {**PI, "HEATERATARGET": -60, "HEATERARAMP": 1, "HEATERARAMPRATE": 10},
        {**PI, "HEATERAENABLE": 0},
        {**PI, "HEATERAFORCE": 1, "HEATERAFORCELEVEL": 4},
        {**PI, "HEATERBENABLE": 1, "HEATERBSENSOR": 1, "HEATERBTARGET": -110, "HEATERBP": 20, "HEATERBI": 1},
    ],
)
@pytest.mark.parametrize("seconds", [500, 3000, 12_000])
def test_one_long_look_away_ends_where_many_short_ones_do(settings: dict[str, object], seconds: int) -> None:
    watched, ignored = Bench(**settings), Bench(**settings)
    for at in range(0, seconds, 100):
        watched.card.advance(at)
    ignored.card.advance(seconds)
    assert watched.celsius(seconds) == pytest.approx(ignored.celsius(seconds), abs=0.05)
    assert watched.celsius(seconds, sensor=1) == pytest.approx(ignored.celsius(seconds, sensor=1), abs=0.05)
    assert watched.volts(seconds) == pytest.approx(ignored.volts(seconds), abs=0.05)


def test_a_long_look_away_is_cheap() -> None:
    bench = Bench(**PI, HEATERBENABLE=1, HEATERBSENSOR=1, HEATERBTARGET=-110, HEATERBP=20, HEATERBI=1)
    took: list[float] = []
    for days in range(1, 6):
        began = time.process_time()
        bench.card.advance(days * 86_400)
        took.append(time.process_time() - began)
    assert min(took) < 0.03, "3 ms; more while coverage is measured"


def test_looking_often_changes_nothing() -> None:
    often, seldom = Bench(**PI), Bench(**PI)
    for n in range(1000):
        often.card.advance(n / 10)
    assert often.celsius(100) == seldom.celsius(100)


def test_a_restart_forgets_the_settings_and_begins_the_time_again() -> None:
    bench = Bench(**PI)
    celsius = bench.celsius(1000)
    bench.card.restart()
    assert bench.volts(0.5) == 0
    assert bench.cryostat.celsius[0] == pytest.approx(celsius, abs=0.5)
    bench.card.advance(1000)
    assert bench.cryostat.celsius[0] < celsius - 5
