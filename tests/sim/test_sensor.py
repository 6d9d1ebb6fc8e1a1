"""What temperature sensors read."""

import pytest

from archon_ioc.sim.sensor import OPEN_SENSOR, Sensor


def sensor(**settings: object) -> Sensor:
    made = Sensor("A")
    made.apply({"SENSORALABEL": "CCD", "SENSORATYPE": "4"} | {key: str(value) for key, value in settings.items()})
    return made


def measured(made: Sensor, *celsius: float, seconds: float = 1.0) -> float:
    for value in celsius:
        made.follow(value, seconds)
    return made.celsius


@pytest.mark.parametrize(
    ("settings", "is_there"),
    [
        ({"SENSORATYPE": "4", "SENSORALABEL": "CCD"}, True),
        ({"HEATERASENSORTYPE": "0", "HEATERALABEL": "CCD"}, True),
        ({"HEATERASENSORTYPE": "0", "HEATERALABEL": ""}, False),
        ({"SENSORATYPE": "4", "SENSORALABEL": "", "HEATERALABEL": "CCD"}, False),
        ({"SENSORATYPE": "4", "SENSORALABEL": " "}, False),
        ({"SENSORALABEL": "CCD"}, False),
        ({}, False),
    ],
)
def test_a_sensor_is_there_if_it_has_a_type_and_a_label(settings: dict[str, str], is_there: bool) -> None:
    made = Sensor("A")
    made.apply(settings)
    assert measured(made, -100.0) == (-100.0 if is_there else OPEN_SENSOR)


def test_a_broken_wire_reads_as_no_sensor() -> None:
    made = sensor()
    made.is_broken = True
    assert measured(made, -100) == OPEN_SENSOR
    assert made.reading(1.0) == OPEN_SENSOR
    assert not made.is_within_limits


def test_limits() -> None:
    made = sensor(SENSORALOWERLIMIT=-150, SENSORAUPPERLIMIT=50)
    for celsius, fine in ((-151, False), (-150, True), (50, True), (51, False)):
        measured(made, celsius)
        assert made.is_within_limits is fine


def test_a_filter_is_slow_and_quiet() -> None:
    plain, filtered = sensor(SENSORAFILTER=0), sensor(SENSORAFILTER=8)
    assert measured(plain, -100, -90) == -90
    assert -100 < measured(filtered, -100, -90) < -98
    assert measured(filtered, *[-90] * 100) == pytest.approx(-90, abs=0.01)
    assert abs(filtered.reading(1.0) - filtered.celsius) < abs(plain.reading(1.0) - plain.celsius) / 10


def test_the_first_measurement_is_not_filtered() -> None:
    assert measured(sensor(SENSORAFILTER=8), -100) == -100


@pytest.mark.parametrize(
    ("believed", "celsius"),
    [(4, -100.0), (5, -178.2), (3, 134.6), (2, OPEN_SENSOR), (0, OPEN_SENSOR)],
)
def test_a_wrong_type_reads_nonsense(believed: int, celsius: float) -> None:
    made = sensor(SENSORATYPE=4)
    made.apply({"SENSORALABEL": "CCD", "SENSORATYPE": str(believed)})
    assert measured(made, -100) == pytest.approx(celsius, abs=0.1)
