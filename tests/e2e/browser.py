"""browser.py - a headless Chromium at the other end of a pipe, as tests/e2e/report.py uses it: sizes of the window, light and
dark, real keys, pictures, and what a page does besides (messages on its console, requests).

    with Browser("/usr/bin/chromium", "profile") as b:
        b.open("file:///tmp/r.html", 390, 800, dark=True)
        b.key("Tab"); print(b.ask("document.activeElement.id"))
"""
import base64
import json
import os
import subprocess

KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}


class Browser:
    def __init__(self, program, profile):
        to_read, self.to = os.pipe()
        self.back, back_write = os.pipe()
        # the protocol wants its pipes as descriptors 3 and 4
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{to_read} 4>&{back_write}', program, "--headless=new", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}",
             "--remote-debugging-pipe", "about:blank"], pass_fds=(to_read, back_write), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        os.close(to_read)
        os.close(back_write)
        self.rest, self.n, self.session, self.events = b"", 0, None, []
        page = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.to)
        os.close(self.back)
        self.process.kill()
        self.process.wait()

    def message(self):
        while b"\0" not in self.rest:
            more = os.read(self.back, 1 << 20)
            if not more:
                raise EOFError("the browser is gone")
            self.rest += more
        one, self.rest = self.rest.split(b"\0", 1)
        return json.loads(one)

    def call(self, method, **params):
        self.n += 1
        m = {"id": self.n, "method": method, "params": params}
        if self.session:
            m["sessionId"] = self.session
        data = json.dumps(m).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        while True:
            m = self.message()
            if m.get("id") == self.n:
                if "error" in m:
                    raise RuntimeError(f"{method}: {m['error']['message']}")
                return m["result"]
            if "method" in m:
                self.events.append(m)

    def loaded(self):
        """Has a page been loaded since it took the place of about:blank, whose own end of loading may come late?"""
        came = [i for i, m in enumerate(self.events) if m["method"] == "Page.frameNavigated" and m["params"]["frame"]["url"] != "about:blank"]
        return bool(came) and any(m["method"] == "Page.loadEventFired" for m in self.events[came[0]:])

    def open(self, url, width, height, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.call("Page.navigate", url="about:blank")
        self.events = []
        self.call("Page.navigate", url=url)
        while not self.loaded():
            m = self.message()
            if "method" in m:
                self.events.append(m)
        self.settle()

    def ask(self, expression):
        r = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in r:
            raise RuntimeError(expression + ": " + r["exceptionDetails"].get("exception", {}).get("description", "?"))
        return r["result"].get("value")

    def settle(self):
        """Until what was asked for has been drawn."""
        self.ask("new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))")

    def key(self, name, times=1):
        for _ in range(times):
            text = {"text": "\r"} if name == "Enter" else {"text": name} if len(name) == 1 else {}
            code = KEYS.get(name, ord(name[0]))
            self.call("Input.dispatchKeyEvent", type="keyDown", key=name, code="Space" if name == " " else name, windowsVirtualKeyCode=code, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=name, windowsVirtualKeyCode=code)
        self.settle()

    def move(self, x, y):
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.settle()

    def drag(self, x, y, to_x, to_y):
        self.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, button="left", clickCount=1)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=to_x, y=to_y, button="left", buttons=1)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", x=to_x, y=to_y, button="left", clickCount=1)
        self.settle()

    def picture(self, path):
        """Of the whole page, at its width."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 16000), "scale": 1}
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))

    def pdf(self, path):
        data = base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])
        with open(path, "wb") as f:
            f.write(data)
        return data

    def complaints(self):
        """Messages on the console, errors of scripts, and requests for anything but the page and what lies in it."""
        out = []
        for m in self.events:
            p = m["params"]
            if m["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                out.append(json.dumps(p)[:300])
            elif m["method"] == "Network.requestWillBeSent" and p.get("type") != "Document" and not p["request"]["url"].startswith("data:"):
                out.append("asks for " + p["request"]["url"][:200])
        return out
