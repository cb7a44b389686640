# SPDX-License-Identifier: Apache-2.0
"""A browser that telephones: headless Chromium with JsSIP in a page, driven over chromedriver (WebDriver)."""
import http.client
import json
import os
import re
import shutil
import socket

from .lab import LabError, wait_until
from .tone import write_tone

HERE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "browser")
MAINS = {"jssip": "jssip/lib-es5/JsSIP.js", "debug": "debug/src/browser.js", "ms": "ms/index.js",
         "events": "events/events.js", "sdp-transform": "sdp-transform/lib/index.js"}
LOADER = """"use strict";
const files = %s, mains = %s, loaded = {};
function need(name) {
  if (!(name in loaded)) {
    const module = loaded[name] = { exports: {} }, path = mains[name] || name;
    if (path.endsWith(".json")) module.exports = JSON.parse(files[path]);
    else new Function("module", "exports", "require", "process", files[path])(module, module.exports,
      (wanted) => need(resolve(path, wanted)), { env: {} });
  }
  return loaded[name].exports;
}
function resolve(from, wanted) {
  if (!wanted.startsWith(".")) return wanted;
  const parts = from.split("/").slice(0, -1);
  for (const part of wanted.split("/")) { if (part === "..") parts.pop(); else if (part !== ".") parts.push(part); }
  const path = parts.join("/");
  return [path, path + ".js", path + ".json", path + "/index.js"].find((p) => p in files) || path;
}
"""


def installed():
    return bool(shutil.which("chromium") and shutil.which("chromedriver") and
                os.path.isdir(os.path.join(HERE, "node_modules", "jssip")))


def bundle():
    """The modules of node_modules as one script, for browsers know no require()."""
    files, top = {}, os.path.join(HERE, "node_modules")
    for name in MAINS:
        for folder, _, names in os.walk(os.path.join(top, name)):
            for file in names:
                path = os.path.relpath(os.path.join(folder, file), top)
                if re.search(r"(\.js|package\.json)$", file) and not re.search(r"/(test|lib)/", "/" + path.split("/", 1)[1]
                                                                               ) or path in MAINS.values() or \
                        path.startswith("sdp-transform/lib/"):
                    with open(os.path.join(top, path), encoding="utf-8") as f:
                        files[path] = f.read()
    return LOADER % (json.dumps(files), json.dumps(MAINS))


class Browser:
    def __init__(self, lab, host, user, domain, url, password="secret", hertz=440):
        self.lab, self.host, self.user, self.name = lab, host, user, "browser-" + user
        self.dir = os.path.join(lab.dir, self.name)
        os.makedirs(self.dir)
        shutil.copy(os.path.join(HERE, "page.html"), self.dir)
        with open(os.path.join(self.dir, "bundle.js"), "w", encoding="utf-8") as f:
            f.write(bundle())
        tone = os.path.join(self.dir, "tone.wav")
        write_tone(tone, hertz, seconds=120)
        self.process = lab.spawn(host, self.name, "chromedriver", "--port=9515", "--allowed-ips=127.0.0.1")
        self.session = None
        wait_until(self.is_up, 20, "chromedriver answers")
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--user-data-dir=" + os.path.join(self.dir, "profile"), "--ignore-certificate-errors",
                 "--allow-file-access-from-files", "--autoplay-policy=no-user-gesture-required",
                 "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
                 "--use-file-for-fake-audio-capture=" + tone]
        options = {"args": flags, "binary": shutil.which("chromium")}
        made = self.http("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options}}}, seconds=60)
        self.session = made["sessionId"]
        self.http("POST", self.path("url"), {"url": "file://%s/page.html" % self.dir})
        self.run("start(...arguments)", url, "sip:%s@%s" % (user, domain), password)

    def is_up(self):
        if not self.process.alive():
            raise LabError("chromedriver ended:\n" + self.process.log()[-2000:])
        try:
            return self.http("GET", "/status")["ready"]
        except (OSError, http.client.HTTPException):
            return False

    def path(self, what):
        return "/session/%s/%s" % (self.session, what)

    def http(self, method, path, body=None, seconds=20):
        connection = http.client.HTTPConnection("127.0.0.1", 9515, timeout=seconds)
        connection.sock = self.lab.socket(self.host, socket.AF_INET, socket.SOCK_STREAM)
        connection.sock.settimeout(seconds)
        connection.sock.connect(("127.0.0.1", 9515))
        connection.request(method, path, json.dumps(body) if body is not None else None,
                           {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        connection.close()
        if isinstance(answer["value"], dict) and "error" in answer["value"]:
            raise LabError("browser: %s" % answer["value"]["message"][:500])
        return answer["value"]

    def run(self, script, *arguments):
        return self.http("POST", self.path("execute/sync"), {"script": script, "args": list(arguments)})

    def get(self, expression):
        return self.run("return " + expression)

    def log(self):
        return "\n".join(self.get("phone.log"))

    def wait(self, expression, seconds=10):
        try:
            return wait_until(lambda: self.get(expression), seconds, "%s of %s" % (expression, self.name), step=0.1)
        except LabError as e:
            raise LabError("%s; its log:\n%s" % (e, self.log()))

    def wait_registered(self, seconds=15):
        self.wait("phone.state === 'registered'", seconds)

    def dial(self, uri, video=False):
        self.run("dial(...arguments)", uri, video)

    def wait_state(self, state, seconds=10):
        self.wait("phone.state === '%s'" % state, seconds)

    def wait_hears(self, hertz, seconds=15):
        """The loudest frequency, five times in a row."""
        right = [0]

        def hears():
            right[0] = right[0] + 1 if abs(self.get("heard()") - hertz) < 30 else 0
            return right[0] >= 5
        try:
            wait_until(hears, seconds, "%s hears %d Hz" % (self.name, hertz), step=0.1)
        except LabError as e:
            raise LabError("%s; loudest is %s Hz, received %s; its log:\n%s" %
                           (e, self.get("heard()"), self.get("received()"), self.log()))

    def stop(self):
        if self.session:
            try:
                self.run("phone.agent.unregister()")
                self.wait_state("unregistered", 5)
                self.run("phone.agent.stop()")
                self.http("DELETE", "/session/" + self.session)
            except (OSError, LabError, ValueError):
                pass
            self.session = None
        return self.process.stop()
