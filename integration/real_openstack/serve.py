"""The API of the service that SERVICE names, for a WSGI server."""

import importlib
import os
import sys

MODULES = {
    "keystone": ("keystone.wsgi.api", None),
    "placement": ("placement.wsgi.api", None),
    "glance": ("glance.wsgi.api", None),
    "nova": ("nova.wsgi.osapi_compute", "nova.conf"),
    "neutron": ("neutron.wsgi.api", "neutron.conf"),
    "cinder": ("cinder.wsgi.api", "cinder.conf"),
}

service = os.environ["SERVICE"]
module, file = MODULES[service]
# Some read the arguments of whatever program serves them.
sys.argv = [service, *(["--config-file", os.path.join(os.environ["SETTINGS"], file)] if file else [])]
application = importlib.import_module(module).application
