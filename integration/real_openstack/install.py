"""Makes what every run begins with: the programs, and databases with the first things in them. Once."""

import concurrent.futures
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import uuid

from .cloud import Cloud, Failure, progress
from .settings import APIS, DATABASES, HOST, PASSWORD, REGION

HERE = os.path.dirname(os.path.abspath(__file__))
REQUIREMENTS = os.path.join(os.path.dirname(HERE), "real-openstack.txt")
DEBIAN = {"mariadbd": "mariadb-server", "erl": "erlang-base", "openssl": "openssl",
          "/usr/lib/rabbitmq/bin/rabbitmq-server": "rabbitmq-server"}  # fmt: skip


def cache(name, *files):
    """Where something is kept that these files determine."""
    digest = hashlib.sha256()
    for path in files:
        with open(path, "rb") as file:
            digest.update(file.read())
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(home, "nutshell", f"{name}-{digest.hexdigest()[:8]}")


def once(directory, make):
    """Makes a directory unless it is there whole; of several callers one does."""
    os.makedirs(os.path.dirname(directory), exist_ok=True)
    with open(f"{directory}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        complete = os.path.join(directory, "complete")
        if not os.path.exists(complete):
            shutil.rmtree(directory, ignore_errors=True)
            make(directory)
            open(complete, "w").close()
    return directory


def environment():
    """The virtual environment with the services."""
    return once(cache("real-openstack", REQUIREMENTS), make_environment)


def make_environment(directory):
    progress("installing what PyPI has of it, 800 MB in a minute or two")
    run(sys.executable, "-m", "venv", directory)
    pip = os.path.join(directory, "bin", "pip")
    run(pip, "install", "--quiet", "--disable-pip-version-check", "--requirement", REQUIREMENTS)


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure("\n".join([f"{' '.join(command)} failed:", *done.stderr.splitlines()[-15:]]))


def template():
    """The directory that each run copies."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    missing = sorted(package for program, package in DEBIAN.items() if not shutil.which(program, path=path))
    if missing:
        raise Failure(f"these Debian packages are missing: {' '.join(missing)}\n"
                      f"hint: sudo apt-get install --no-install-recommends {' '.join(missing)}")  # fmt: skip
    programs = environment()
    files = sorted(os.path.join(HERE, name) for name in os.listdir(HERE) if name.endswith(".py"))
    return once(cache("real-openstack-state", REQUIREMENTS, *files), lambda place: make_template(place, programs))


def make_template(directory, programs):
    os.makedirs(directory)
    with Cloud(directory, programs) as cloud:
        progress("making its databases, in about a minute")
        cloud.prepare_files()
        with open(cloud.path("nova", "compute_id"), "w") as file:
            file.write(str(uuid.uuid5(uuid.NAMESPACE_DNS, HOST)))
        cloud.call(
            "mariadb-install-db", "--no-defaults", f"--datadir={cloud.path('mysql')}", "--skip-test-db",
            "--auth-root-authentication-method=normal", "--innodb-log-file-size=16M",
            *(["--user=root"] if os.getuid() == 0 else []),
        )  # fmt: skip
        cloud.base()
        make_tables(cloud)
        progress("starting it for the first time")
        cloud.serve("keystone")
        cloud.wait_for("keystone to answer", lambda: cloud.answers("keystone"))
        catalog = {name: kind for name, (_, _, kind) in APIS.items() if name != "keystone"}
        seed(cloud, "accounts", *(f"{name}={kind}={cloud.settings.url(name)}" for name, kind in catalog.items()))
        cloud.services()
        seed(cloud, "content")
        cloud.call(cloud.program("nova-manage"), "--config-file", cloud.path("etc", "nova.conf"),
                   "cell_v2", "discover_hosts")  # fmt: skip
    with open(os.path.join(directory, "address"), "w") as file:
        file.write(cloud.address)
    # What each run has of its own.
    for name in set(os.listdir(directory)) - {"address", "mysql", "keystone", "glance", "nova"}:
        path = os.path.join(directory, name)
        shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


def seed(cloud, *arguments):
    script = os.path.join(HERE, "seed.py")
    cloud.call(cloud.program("python"), script, *arguments, **cloud.client_environment())


def make_tables(cloud):
    """Each service its own; most of them at the same time."""
    names = [name for service in DATABASES.values() for name in service]
    statements = "".join(f"create database {name} character set utf8mb3;" for name in names)
    cloud.call("mariadb", "--no-defaults", f"--socket={cloud.path('mysql.sock')}", "--user=root",
               f"--execute={statements}")  # fmt: skip

    def manage(program, file, *arguments):
        cloud.call(cloud.program(program), "--config-file", cloud.path("etc", file), *arguments)

    def keystone():
        owner = ["--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid())]
        manage("keystone-manage", "keystone.conf", "db_sync")
        manage("keystone-manage", "keystone.conf", "fernet_setup", *owner)
        manage("keystone-manage", "keystone.conf", "credential_setup", *owner)
        url = cloud.settings.url("keystone")
        manage("keystone-manage", "keystone.conf", "bootstrap", "--bootstrap-password", PASSWORD,
               "--bootstrap-region-id", REGION, "--bootstrap-admin-url", url, "--bootstrap-internal-url", url,
               "--bootstrap-public-url", url)  # fmt: skip

    def nova():
        manage("nova-manage", "nova.conf", "api_db", "sync")
        cell0 = cloud.settings.database("nova_cell0")
        manage("nova-manage", "nova.conf", "cell_v2", "map_cell0", "--database_connection", cell0)
        manage("nova-manage", "nova.conf", "cell_v2", "create_cell", "--name", "cell1")
        manage("nova-manage", "nova.conf", "db", "sync")

    def rest():
        manage("neutron-db-manage", "neutron.conf", "upgrade", "heads")
        manage("cinder-manage", "cinder.conf", "db", "sync")
        manage("glance-manage", "glance-api.conf", "db_sync")
        manage("placement-manage", "placement.conf", "db", "sync")

    with concurrent.futures.ThreadPoolExecutor() as pool:
        for made in [pool.submit(make) for make in (keystone, nova, rest)]:
            made.result()
