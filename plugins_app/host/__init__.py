"""The plugin host: one per node, makes what serves equal to what is wanted. No Django here.

`store.Store` is what it reads and writes; `reconcile.Host` is where it starts.
"""

from .reconcile import AlreadyRunningError, Host
from .store import HostPaths, Observed, Store, Wanted

__all__ = ["AlreadyRunningError", "Host", "HostPaths", "Observed", "Store", "Wanted"]
