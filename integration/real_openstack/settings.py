"""What each service of the cloud reads at its start, and where it answers."""

import configparser
import os
import shutil

REGION = "RegionOne"
PASSWORD = "secret"

# Those that others call: the port and path of each, and its type in the catalog.
APIS = {
    "keystone": (5000, "/v3", "identity"),
    "placement": (8778, "", "placement"),
    "glance": (9292, "", "image"),
    "nova": (8774, "/v2.1", "compute"),
    "neutron": (9696, "", "network"),
    "cinder": (8776, "/v3/$(project_id)s", "block-storage"),
}
DATABASES = {
    "keystone": ["keystone"],
    "placement": ["placement"],
    "glance": ["glance"],
    "nova": ["nova_api", "nova", "nova_cell0"],
    "neutron": ["neutron"],
    "cinder": ["cinder"],
}
HOST = "host"
# No list is longer than this at once: whoever reads one must ask for its next page.
PAGE = "4"
# A service is alive when it was in the template: nobody waits for its first sign of life.
ALWAYS = 10**9


class Settings:
    """The files of one run, at its address and in its directory."""

    def __init__(self, address, directory, programs):
        self.address = address
        self.directory = directory
        self.programs = programs

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def url(self, service):
        port, path, _ = APIS[service]
        return f"https://{self.address}:{port}{path}"

    def database(self, name):
        return f"mysql+pymysql://os:{PASSWORD}@{self.address}:3306/{name}"

    def messages(self):
        return f"rabbit://guest:guest@{self.address}:5672/"

    def account(self, name):
        """How one service logs in to call another."""
        return {
            "auth_type": "password",
            "auth_url": self.url("keystone"),
            "username": name,
            "password": PASSWORD,
            "project_name": "service",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
            "region_name": REGION,
            "cafile": self.path("ca.pem"),
        }

    def common(self, name, database_section="database"):
        """What every service is told."""
        return {
            "DEFAULT": {"transport_url": self.messages(), "state_path": self.path(name), "host": HOST},
            database_section: {"connection": self.database(name), "max_pool_size": "20", "max_overflow": "50"},
            "oslo_concurrency": {"lock_path": self.path("locks")},
            "keystone_authtoken": {
                **self.account(name),
                "www_authenticate_uri": self.url("keystone"),
                "service_token_roles_required": "true",
            },
        }

    def keystone(self):
        keys = {"key_repository": self.path("keystone", "fernet")}
        return {
            "database": {"connection": self.database("keystone")},
            "fernet_tokens": keys,
            "fernet_receipts": keys,
            "credential": {"key_repository": self.path("keystone", "credential")},
            "cache": {"enabled": "true", "backend": "dogpile.cache.memory"},
            # The least that there is: tests log in all the time.
            "identity": {"password_hash_rounds": "4"},
        }

    def placement(self):
        return self.common("placement", "placement_database")

    def glance(self):
        files = self.common("glance")
        files["DEFAULT"].update(enabled_backends="files:file", api_limit_max=PAGE, limit_param_default=PAGE)
        files["glance_store"] = {"default_backend": "files"}
        files["files"] = {"filesystem_store_datadir": self.path("glance", "images")}
        paste = os.path.join(self.programs, "etc", "glance", "glance-api-paste.ini")
        files["paste_deploy"] = {"flavor": "keystone", "config_file": paste}
        return files

    def nova(self):
        files = self.common("nova")
        account = self.account("nova")
        files["DEFAULT"].update(
            my_ip=self.address,
            # Its host has the same id whenever it starts.
            compute_driver="fake.PredictableNodeUUIDDriver",
            cpu_allocation_ratio="10000",
            ram_allocation_ratio="10000",
            disk_allocation_ratio="10000",
            service_down_time=str(ALWAYS),
        )
        files["api_database"] = {"connection": self.database("nova_api"), "max_pool_size": "20"}
        files["api"] = {"auth_strategy": "keystone", "max_limit": PAGE}
        files["conductor"] = files["scheduler"] = {"workers": "1"}
        files["vnc"] = {"enabled": "false"}
        files["filter_scheduler"] = {"enabled_filters": "ComputeFilter"}
        files["service_user"] = {"send_service_user_token": "true", **account}
        for service in ("placement", "glance", "cinder"):
            files[service] = dict(account)
        files["neutron"] = {**account, "service_metadata_proxy": "true"}
        files["cinder"]["catalog_info"] = "block-storage::publicURL"
        return files

    def nova_compute(self):
        files = self.nova()
        # It asks the conductor, and refuses to run where it could do otherwise.
        del files["database"], files["api_database"]
        return files

    def neutron(self):
        files = self.common("neutron")
        files["DEFAULT"].update(
            core_plugin="ml2",
            service_plugins="router",
            pagination_max_limit=PAGE,
            api_paste_config=os.path.join(self.programs, "etc", "neutron", "api-paste.ini"),
            notify_nova_on_port_status_changes="true",
            notify_nova_on_port_data_changes="true",
        )
        files["ml2"] = {
            "type_drivers": "flat,local",
            "tenant_network_types": "local",
            "mechanism_drivers": "binding",
            "extension_drivers": "port_security",
        }
        files["ml2_type_flat"] = {"flat_networks": "*"}
        files["nova"] = self.account("nova")
        files["placement"] = self.account("placement")
        return files

    def cinder(self):
        files = self.common("cinder")
        files["DEFAULT"].update(
            enabled_backends="fake",
            osapi_max_limit=PAGE,
            default_volume_type="__DEFAULT__",
            api_paste_config=os.path.join(self.programs, "etc", "cinder", "api-paste.ini"),
            glance_api_servers=self.url("glance"),
            service_down_time=str(ALWAYS),
        )
        files["fake"] = {
            "volume_driver": "cinder.tests.fake_driver.FakeLoggingVolumeDriver",
            "volume_backend_name": "fake",
        }
        files["service_user"] = {"send_service_user_token": "true", **self.account("cinder")}
        return files

    def write(self):
        """Writes the files below `etc`, where those that cannot be told a file look for theirs."""
        for name, content in {
            "keystone.conf": self.keystone(),
            "placement.conf": self.placement(),
            "glance-api.conf": self.glance(),
            "nova.conf": self.nova(),
            "nova-compute.conf": self.nova_compute(),
            "neutron.conf": self.neutron(),
            "cinder.conf": self.cinder(),
        }.items():
            parser = configparser.RawConfigParser(default_section=None)
            parser.optionxform = str
            parser.read_dict(content)
            with open(self.path("etc", name), "w") as file:
                parser.write(file)
        # Nova's server looks for its own beside the settings.
        shutil.copy(os.path.join(self.programs, "etc", "nova", "api-paste.ini"), self.path("etc"))
