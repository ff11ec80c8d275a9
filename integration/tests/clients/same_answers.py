"""Asks fake-cloud and a real OpenStack the same, mostly what they must refuse, and compares what they answer.

The environment names fake-cloud in OS_AUTH_URL and so on, and the real one in REAL_OS_AUTH_URL and so on; both as
their administrator. Compared are the status, the names and types of what is in the answer, the words of a refusal,
and the headers that say which version answered. Fails when there are differences that are not in
`same_answers_differ.txt`, which `same_answers.py --bless` writes anew; tells also which of those are gone.
"""

import json
import os
import re
import sys
import urllib.parse
import uuid

import requests

NOTHING = "00000000-0000-0000-0000-000000000000"

KNOWN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "same_answers_differ.txt")

HEADERS = ["openstack-api-version", "x-openstack-nova-api-version", "content-type", "location", "vary",
           "x-openstack-request-id", "www-authenticate"]  # fmt: skip


class Cloud:
    """A cloud and a member of a project there, who is new to it."""

    def __init__(self, prefix):
        def variable(name):
            return os.environ.get(prefix + name, "")

        self.base = variable("OS_AUTH_URL")
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = variable("OS_CACERT") or True
        login = {"user": variable("OS_USERNAME"), "password": variable("OS_PASSWORD"),
                 "project": variable("OS_PROJECT_NAME")}  # fmt: skip
        self.log_in(login)
        self.admin, name = self.token, f"member-{uuid.uuid4().hex[:8]}"
        project = self.identity("POST", "projects", {"project": {"name": name, "domain_id": "default"}})
        user = {"name": name, "password": "sesame", "domain_id": "default"}
        user = self.identity("POST", "users", {"user": user})
        role = next(role["id"] for role in self.identity("GET", "roles")["roles"] if role["name"] == "member")
        self.project = project["project"]["id"]
        self.identity("PUT", f"projects/{self.project}/users/{user['user']['id']}/roles/{role}")
        self.log_in({"user": name, "password": "sesame", "project": name})
        # What a step of the conversation may name.
        self.known = {"project": self.project, "nothing": NOTHING, "addresses": free_addresses(self.base)}

    def identity(self, method, path, body=None):
        answer = self.session.request(method, f"{self.base}/{path}", json=body, headers={"X-Auth-Token": self.token})
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def log_in(self, who):
        domain = {"id": "default"}
        user = {"name": who["user"], "password": who["password"], "domain": domain}
        scope = {"project": {"name": who["project"], "domain": domain}}
        identity = {"methods": ["password"], "password": {"user": user}}
        login = {"auth": {"identity": identity, "scope": scope}}
        answer = self.session.post(f"{self.base}/auth/tokens", json=login)
        answer.raise_for_status()
        self.token = answer.headers["X-Subject-Token"]
        self.services = {}
        for service in answer.json()["token"]["catalog"]:
            self.services[service["type"]] = next(
                endpoint["url"] for endpoint in service["endpoints"] if endpoint["interface"] == "public"
            )

    def ask(self, service, method, path, body=None, version=None, **headers):
        url = self.base if service == "identity" else self.services[service].rstrip("/")
        headers = {"X-Auth-Token": self.token, **headers}
        if version:
            headers["OpenStack-API-Version"] = version
        return self.session.request(method, url + self.filled(path), json=self.filled(body), headers=headers)

    def follow(self, links):
        """The next page of a list."""
        url = next(link["href"] for link in links if link["rel"] == "next")
        return self.session.get(url, headers={"X-Auth-Token": self.token}).json()

    def filled(self, thing):
        """With what this cloud calls the things that are named in it."""
        if isinstance(thing, str):
            return re.sub(r"<(\w+)>", lambda match: self.known.get(match[1], NOTHING), thing)
        if isinstance(thing, dict):
            return {self.filled(key): self.filled(value) for key, value in thing.items()}
        if isinstance(thing, list):
            return [self.filled(each) for each in thing]
        return thing


def free_addresses(url):
    """What a new subnet may have. fake-cloud has none but those that begin as its own."""
    return ".".join([*urllib.parse.urlsplit(url).hostname.split(".")[:2], "250.0/24"])


def shape(value):
    """Names and types: of the first of several, for they are alike. Whether a list has another page says nothing."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in sorted(value.items()) if not key.endswith("s_links")}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def alike(one, other):
    """Whether two shapes may be of the same: what is empty or null here may be anything there."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return not one or not other or alike(one[0], other[0])
    return one == other or "NoneType" in (one, other)


def words(text):
    """What is said, without what each cloud calls its own things."""
    text = re.sub(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", "ID", text)
    text = re.sub(r"https?://[^/\"' ]+(/(identity|compute|image|network|volume|placement))?", "URL", text)
    text = re.sub(r"127(\.\d+){3}(/\d+)?", "ADDRESS", text)
    text = re.sub(r"member-[0-9a-f]{8}", "member", text)
    return re.sub(r"\s+", " ", text.replace("req-ID", "ID")).strip()


def told(answer):
    """What of an answer is compared."""
    kind = answer.headers.get("content-type", "").split(";")[0]
    told = {"status": answer.status_code}
    for name in HEADERS:
        value = answer.headers.get(name)
        told[name] = value and words(value)
    told["content-type"] = kind or None
    if kind == "application/json" and answer.content:
        told["body"] = shape(answer.json())
    if answer.status_code >= 400:
        # The order in which it is written says nothing.
        told["words"] = words(json.dumps(answer.json(), sort_keys=True) if "body" in told else answer.text)
    return told


def differences(fake, real):
    for name in sorted(fake.keys() | real.keys()):
        one, other = fake.get(name), real.get(name)
        if name == "body" and fake["status"] < 400 and alike(one, other):
            continue
        if one != other:
            yield name, one, other


def main():
    from same_answers_asked import conversation

    fake, real = Cloud(""), Cloud("REAL_")
    found, asked = {}, 0
    for title, question, remember in conversation():
        asked += 1
        answers = [cloud.ask(**question) for cloud in (fake, real)]
        for cloud, answer in zip((fake, real), answers):
            if remember:
                remember(cloud, answer)
        for name, one, other in differences(*map(told, answers)):
            found[f"{title}: {name}"] = f"    fake: {one}\n    real: {other}"
    if sys.argv[1:] == ["--bless"]:
        with open(KNOWN, "w") as file:
            file.write("# In what fake-cloud is known to answer otherwise than a real OpenStack: this list should shrink.\n")
            file.writelines(f"{difference}\n" for difference in sorted(found))
    with open(KNOWN) as file:
        known = {line.strip() for line in file if not line.startswith("#")}
    for difference in sorted(found.keys() - known):
        print(f"new: {difference}\n{found[difference]}")
    for difference in sorted(known - found.keys()):
        print(f"gone, take it out of the list: {difference}")
    print(f"{asked} questions, {len(found)} differences")
    sys.exit(bool(found.keys() - known))


if __name__ == "__main__":
    main()
