"""Debian's chromium without a screen, driven by chromedriver over WebDriver (W3C), which is JSON over HTTP."""
import base64
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import time

PATIENCE = 120
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
ENTER, SPACE, TAB, ESCAPE, BACKSPACE, LEFT, RIGHT, UP, DOWN, CONTROL, F2 = (
    "\ue007", " ", "\ue004", "\ue00c", "\ue003", "\ue012", "\ue014", "\ue013", "\ue015", "\ue009", "\ue032")


def missing():
    """What is not installed, or None."""
    for name in ("chromium", "chromedriver"):
        if not shutil.which(name):
            return name
    return None


class Browser:
    def __init__(self, folder, *arguments, traces=False, prefs=None):
        """Downloads and the profile go into the folder. traces: tasks() is asked for. prefs: settings of the browser's user."""
        self.port = self.start() or self.start() or self.start()
        assert self.port, "chromedriver did not start three times"
        self.session = ""
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                            "--user-data-dir=%s" % (folder / "profile"), *arguments],
                   "prefs": {"download.default_directory": str(folder), "download.prompt_for_download": False, **(prefs or {})}}
        logs = {"browser": "ALL"}
        if traces:
            logs["performance"] = "ALL"
            options["perfLoggingPrefs"] = {"traceCategories": "toplevel"}
        answer = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": logs, "unhandledPromptBehavior": "dismiss"}}})
        self.session = "/session/" + answer["sessionId"]
        self.process = answer["capabilities"].get("goog:processID")

    def start(self):
        """The driver's port; None where it ended: another process took the port that it had chosen."""
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.driver.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                return int(found.group(1))
        self.driver.wait()
        return None

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, self.session + path, json.dumps(body if body is not None else {}) if method == "POST"
                               else None, {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(answer["error"] + ": " + answer["message"].splitlines()[0])
        return answer

    def kill(self):
        """As a crash or a power cut ends it: no page is asked."""
        os.kill(self.process, signal.SIGKILL)
        self.session = ""

    def before_pages(self, script):
        """JavaScript that runs before any of a page's own."""
        self.ask("POST", "/goog/cdp/execute", {"cmd": "Page.addScriptToEvaluateOnNewDocument", "params": {"source": script}})

    def size(self, width, height):
        """What a page sees of the screen; a phone's, where it is narrow."""
        self.ask("POST", "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}})

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.ask("GET", "/screenshot")))

    def open(self, url):
        self.ask("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """JavaScript with `return`."""
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, css):
        return self.ask("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def keys(self, css, text):
        self.ask("POST", "/element/%s/value" % self.find(css), {"text": text})

    def press(self, keys):
        """On whatever has the focus, as a keyboard does."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.ask("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def chord(self, *keys):
        """Held together: CONTROL, "z"."""
        actions = [{"type": "keyDown", "value": key} for key in keys] + [{"type": "keyUp", "value": key} for key in reversed(keys)]
        self.ask("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def click(self, css):
        self.ask("POST", "/element/%s/click" % self.find(css))

    def role(self, css):
        """What a screen reader is told: role and name."""
        element = self.find(css)
        return (self.ask("GET", "/element/%s/computedrole" % element), self.ask("GET", "/element/%s/computedlabel" % element))

    def text(self, css):
        return self.run("return document.querySelector(arguments[0]).textContent", css)

    def focused(self):
        return self.run("return document.activeElement.id || document.activeElement.dataset.format || ''")

    def complaints(self):
        """What the browser says of the page: broken scripts, refused requests."""
        return [entry["message"] for entry in self.ask("POST", "/se/log", {"type": "browser"})]

    def tasks(self):
        """The tasks of the browser's threads since this was asked last: [(thread's name, ms of processor time, ms on the wall)]."""
        names, found = {}, []
        for entry in self.ask("POST", "/se/log", {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            event = message.get("params", {}) if message.get("method") == "Tracing.dataCollected" else {}
            thread = event.get("pid"), event.get("tid")
            if event.get("name") == "thread_name":
                names[thread] = event["args"]["name"]
            elif event.get("ph") == "X" and "RunTask" in event.get("name", ""):
                found.append((thread, event.get("tdur", 0) / 1000, event.get("dur", 0) / 1000))
        return [(names.get(thread, str(thread)), cpu, wall) for thread, cpu, wall in found]

    def wait(self, is_so, what="it"):
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = is_so()
            if answer:
                return answer
            assert time.monotonic() < deadline, what + " does not become so"
            time.sleep(0.05)

    def close(self):
        try:
            if self.session:
                self.ask("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait()
            self.driver.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *rest):
        self.close()
