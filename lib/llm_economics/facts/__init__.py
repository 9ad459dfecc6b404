"""What is known, with source and date: ``data/``, validated, and the units and parameters that it is told in.

A number of this world belongs into a file of ``data/``, its column into ``rows``; no formula and no verdict is here.
Rooms are imported when the first of their names is asked for, so that a room of the standard library stays cheap.
"""

from importlib import import_module

_ROOMS = {
    "chips": ("accelerator", "accelerators", "chip_names", "system", "systems"),
    "descriptions": ("system_from_file",),
    "models": ("GPT4", "model", "precisions", "published", "served", "served_models"),
    "prices": ("prices_of",),
    "rows": ("FILES",),
    "store": ("DATA", "ROOT", "CatalogError", "describe", "fact", "load", "readers_folder", "records"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}
__all__ = sorted(_ROOM_OF)


def __getattr__(name: str):
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
