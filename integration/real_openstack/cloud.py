"""The processes of one cloud, from its databases up to the last service, and their end."""

import ctypes
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

from .settings import APIS, PASSWORD, REGION, Settings

HERE = os.path.dirname(os.path.abspath(__file__))
# Neutron's mechanism driver, laid out as if it were installed.
BINDING = os.path.join(HERE, "..", "..", "provisioning", "openstack", "binding")
PR_SET_PDEATHSIG = 1
# As slow as a busy machine with two processors may be.
PATIENCE_SECONDS = 180
# Threads are cheap and processes are not; Neutron has the session of a database to each process.
WORKERS = {"neutron": (3, 1)}
AGENTS = {
    "nova-conductor": "nova.conf",
    "nova-scheduler": "nova.conf",
    "nova-compute": "nova-compute.conf",
    "cinder-scheduler": "cinder.conf",
    "cinder-volume": "cinder.conf",
}
# Each is there when its service takes calls.
QUEUES = ["conductor", "scheduler", "compute", "cinder-scheduler", "cinder-volume"]


class Failure(Exception):
    """The cloud cannot be; says why, and what may help."""


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def unused_address():
    """A loopback address that nobody uses: the ports there are the usual ones."""
    while True:
        address = f"127.{random.randint(64, 126)}.{random.randint(1, 254)}.{random.randint(1, 254)}"
        with socket.socket() as probe:
            try:
                probe.bind((address, 5000))
                return address
            except OSError:
                continue


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cloud:
    """One cloud in one directory, which holds all that it writes."""

    def __init__(self, directory, programs):
        self.directory = directory
        self.programs = programs
        self.address = unused_address()
        self.settings = Settings(self.address, directory, programs)
        self.running = {}

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def program(self, name):
        return os.path.join(self.programs, "bin", name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def environment(self):
        """Of everything that runs here: nothing of the caller's but where programs are."""
        return {
            "PATH": f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin",
            "HOME": self.directory,
            "LANG": "C.UTF-8",
            "PYTHONWARNINGS": "ignore",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SETTINGS": self.path("etc"),
            "REQUESTS_CA_BUNDLE": self.path("ca.pem"),
            **{f"OS_{api.upper()}_CONFIG_DIR": self.path("etc") for api in APIS},
        }

    def client_environment(self):
        """What clients need to know, as the cloud's administrator."""
        return {
            "OS_AUTH_URL": self.settings.url("keystone"),
            "OS_CACERT": self.path("ca.pem"),
            "OS_USERNAME": "admin",
            "OS_PASSWORD": PASSWORD,
            "OS_PROJECT_NAME": "admin",
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default",
            "OS_REGION_NAME": REGION,
            "OS_IDENTITY_API_VERSION": "3",
        }

    # What it consists of.

    def start(self):
        """Starts what was made ready by `install`; returns when every service takes calls."""
        self.prepare_files()
        self.base()
        self.services()

    def prepare_files(self):
        for name in ("etc", "log", "locks", "glance", "keystone", "nova", "neutron", "cinder"):
            os.makedirs(self.path(name), exist_ok=True)
        os.makedirs(self.path("glance", "images"), exist_ok=True)
        self.settings.write()
        self.certify()

    def certify(self):
        """Makes an authority of the cloud's own, and its certificate for the cloud."""
        new = ["openssl", "req", "-x509", "-nodes", "-days", "2",
               "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]  # fmt: skip
        authority, key = self.path("ca.pem"), self.path("ca-key.pem")
        self.call(*new, "-subj", "/CN=authority of a real OpenStack", "-keyout", key, "-out", authority)
        self.call(
            *new, "-subj", "/CN=a real OpenStack", "-keyout", self.path("key.pem"), "-out", self.path("certificate.pem"),
            "-CA", authority, "-CAkey", key, "-addext", f"subjectAltName=IP:{self.address}",
            "-addext", "basicConstraints=critical,CA:FALSE",
        )  # fmt: skip

    def base(self):
        """The databases and the messages."""
        with open(self.path("init.sql"), "w") as file:
            file.writelines(f"{statement};\n" for statement in self.sql())
        self.spawn(
            "mariadbd", "mariadbd", "--no-defaults", f"--datadir={self.path('mysql')}",
            f"--socket={self.path('mysql.sock')}", f"--bind-address={self.address}", "--port=3306",
            f"--init-file={self.path('init.sql')}", "--max-connections=1000", "--skip-name-resolve",
            "--innodb-log-file-size=16M", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0",
            *(["--user=root"] if os.getuid() == 0 else []),
        )  # fmt: skip
        # Erlang's directory of nodes is at 127.0.0.1 whatever else it is told.
        epmd = {"ERL_EPMD_PORT": str(unused_port()), "ERL_EPMD_ADDRESS": "127.0.0.1"}
        self.spawn("epmd", "epmd", **epmd)
        self.spawn(
            "rabbitmq", "/usr/lib/rabbitmq/bin/rabbitmq-server",
            **epmd,
            # Erlang's own process is then the one that is started, with no shell around it.
            RUNNING_UNDER_SYSTEMD="true",
            RABBITMQ_NODENAME="rabbit@localhost",
            RABBITMQ_NODE_IP_ADDRESS=self.address,
            RABBITMQ_NODE_PORT="5672",
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {%s} -start_epmd false"
            % self.address.replace(".", ","),
            RABBITMQ_MNESIA_BASE=self.path("rabbitmq"),
            RABBITMQ_LOG_BASE=self.path("log"),
            RABBITMQ_LOGS="-",
            RABBITMQ_ENABLED_PLUGINS_FILE=self.path("no-plugins"),
        )  # fmt: skip
        for name, port in (("mariadbd", 3306), ("rabbitmq", 5672)):
            self.wait_for(f"{name} to listen", lambda port=port: self.listens(port))

    def sql(self):
        """What the databases are told at each start."""
        yield f"create user if not exists os@'%' identified by '{PASSWORD}'"
        yield "grant all on *.* to os@'%'"
        if os.path.exists(self.path("address")):
            with open(self.path("address")) as file:
                there = file.read()
            for column in ("keystone.endpoint.url", "nova_api.cell_mappings.transport_url",
                           "nova_api.cell_mappings.database_connection"):  # fmt: skip
                table, name = column.rsplit(".", 1)
                yield f"update {table} set {name} = replace({name}, '{there}', '{self.address}')"

    def services(self):
        for name in APIS:
            if name not in self.running:
                self.serve(name)
        for name in AGENTS:
            self.agent(name)
        for name in APIS:
            self.wait_for(f"{name} to answer", lambda name=name: self.answers(name))
        self.wait_for_queues()

    def serve(self, name):
        workers, threads = WORKERS.get(name, (1, 8))
        self.spawn(
            name, self.program("gunicorn"), "--bind", f"{self.address}:{APIS[name][0]}",
            "--workers", str(workers), "--worker-class", "gthread", "--threads", str(threads),
            "--certfile", self.path("certificate.pem"), "--keyfile", self.path("key.pem"),
            # Nova asks Neutron for the ports of many servers in one line.
            "--limit-request-line", "0", "--timeout", "120", "--no-control-socket",
            # One thread that waits for the next request of a connection would keep all others from Neutron.
            "--keep-alive", "0",
            "--worker-tmp-dir", self.directory, "serve:application",
            SERVICE=name, PYTHONPATH=f"{HERE}:{BINDING}",
        )  # fmt: skip

    def agent(self, name):
        self.spawn(name, self.program(name), "--config-file", self.path("etc", AGENTS[name]))

    # How it is told whether they are ready.

    def listens(self, port):
        with socket.socket() as probe:
            return probe.connect_ex((self.address, port)) == 0

    def answers(self, service):
        if not self.listens(APIS[service][0]):
            return False
        context = ssl.create_default_context(cafile=self.path("ca.pem"))
        url = f"https://{self.address}:{APIS[service][0]}/"
        try:
            urllib.request.urlopen(url, timeout=PATIENCE_SECONDS, context=context).close()
        except urllib.error.HTTPError as error:
            return error.code < 500
        except OSError:
            return False
        return True

    def wait_for_queues(self):
        script = (
            "import sys, time, amqp\n"
            "connection = amqp.Connection(host=sys.argv[1]); connection.connect()\n"
            "for queue in sys.argv[2:]:\n"
            "    while True:\n"
            "        try:\n"
            "            if connection.channel().queue_declare(queue, passive=True).consumer_count: break\n"
            "        except amqp.NotFound: pass\n"
            "        time.sleep(0.1)\n"
        )
        probe = subprocess.Popen([self.program("python"), "-c", script, f"{self.address}:5672", *QUEUES],
                                 preexec_fn=die_with_parent)  # fmt: skip
        try:
            self.wait_for("the services to take calls", lambda: probe.poll() is not None)
        finally:
            probe.kill()
            probe.wait()

    def wait_for(self, what, ready):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not ready():
            for name, process in self.running.items():
                if process.poll() is not None:
                    raise Failure(f"{name} ended while waiting for {what}:\n{self.tail(name)}")
            if time.monotonic() > deadline:
                raise Failure(f"gave up waiting for {what}; the logs were in {self.path('log')}")
            time.sleep(0.1)

    def tail(self, name):
        with open(self.path("log", f"{name}.log"), errors="replace") as file:
            return "".join(file.readlines()[-15:])

    # How they are run.

    def spawn(self, name, *command, **environment):
        with open(self.path("log", f"{name}.log"), "ab") as log:
            self.running[name] = subprocess.Popen(
                command,
                env={**self.environment(), **environment},
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def call(self, *command, **environment):
        """Runs a command to its end."""
        done = subprocess.run(command, env={**self.environment(), **environment}, cwd=self.directory, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)  # fmt: skip
        if done.returncode != 0:
            lines = (done.stdout + done.stderr).splitlines()[-15:]
            raise Failure("\n".join([f"{' '.join(command)} failed:", *lines]))

    def end(self):
        """Ends all: what they would still have to write down is of no use, but to the databases."""
        database = self.running.pop("mariadbd", None)
        for process in self.running.values():
            signal_group(process, signal.SIGKILL)
        for process in self.running.values():
            process.wait()
        self.running.clear()
        if database:
            signal_group(database, signal.SIGTERM)
            database.wait()


def signal_group(process, number):
    """Tells a process and those that it started."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def progress(text):
    print(f"real-openstack: {text}", file=sys.stderr, flush=True)
