"""Writes the dimensions of homes, rooms, devices and tariffs, and finds devices that they lack."""

from datetime import datetime

from domotic_assets.domains.homes.gold import dims
from domotic_assets.domains.homes.gold.tariffs import dim_tariff
from domotic_assets.flow.dims import DIMS, replace_dims
from domotic_assets.flow.flow import Asked, Flow, Made
from domotic_assets.flow.workspace import Workspace
from domotic_assets.schemas.homes.gold import DIM_APARTMENT, DIM_DEVICE, DIM_ROOM, DIM_TARIFF
from domotic_assets.schemas.homes.silver import DEVICES
from domotic_assets.schemas.register import SILVER_REGISTER


def write_dims(work: Workspace, _asked: Asked) -> Made:
    """Write gold/dim_apartment, dim_room, dim_device and dim_tariff if they differ from the lake's.

    The counts of dim_device include the register rows and feed devices that match nothing.
    """
    registry, lake = work.registry, work.lake
    devices = lake.read(DEVICES)
    register = {name: lake.read(table) for name, table in SILVER_REGISTER.items()}
    newest: datetime | None = devices["last_ts"].max()  # type: ignore[assignment]
    joined = dims.dim_device(registry, devices, register, newest)
    return replace_dims(
        work,
        {
            DIM_APARTMENT: dims.dim_apartment(registry, register, devices),
            DIM_ROOM: dims.dim_room(registry, devices),
            DIM_DEVICE: joined.devices,
            DIM_TARIFF: dim_tariff(registry),
        },
        {DIM_DEVICE.name: _unmatched(joined)},
    )


def lacks_devices(work: Workspace) -> bool:
    """Return whether Silver has devices that the dimension lacks."""
    seen = work.lake.read(DEVICES, columns=["device"]).unique()
    known = work.lake.read(DIM_DEVICE, columns=["device_id"])
    return not seen.join(known, left_on="device", right_on="device_id", how="anti").is_empty()


def _unmatched(found: dims.DeviceDimension) -> dict[str, int]:
    """Count the register rows and feed devices that match nothing."""
    return {
        "register sensors unmatched": found.sensors.register_unmatched,
        "feed devices unmatched": found.sensors.feed_unmatched,
        "register appliances unmatched": found.appliances.register_unmatched,
        "feed plugs unmatched": found.appliances.feed_unmatched,
    }


FLOW = Flow(
    name="homes_dims",
    about="Homes, rooms, devices and tariffs as they are now.",
    writes=(DIM_APARTMENT, DIM_ROOM, DIM_DEVICE, DIM_TARIFF),
    made_from={
        DIM_APARTMENT.name: (SILVER_REGISTER["buildings"],),
        DIM_ROOM.name: (DEVICES,),
        DIM_DEVICE.name: (DEVICES, *(SILVER_REGISTER[name] for name in ("rooms", "sensors", "devices"))),
    },
    run=write_dims,
    job=DIMS,
)
