"""A headless Chromium for tests of pages: opens them, counts every request, listens to the console,
takes pictures. Talks the DevTools protocol through a pipe; needs nothing but chromium and Python.
"""
import base64
import json
import os
import shutil
import subprocess
import tempfile
import time

PATIENCE = 300  # seconds that anything may take on a busy machine

# Colours of an element's text and of what is behind it, as WCAG measures contrast.
CONTRAST = """(() => {
  const parse = (text) => {
    const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    context.fillStyle = text;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
    const v = c[i] / 255;
    return sum + weight * (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  }, 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour[3] > 250) return colour;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.nodeValue.trim());
    if (!own || element.tagName === 'CODE' || !element.offsetParent) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(`${element.tagName}.${element.className} "${element.textContent.slice(0, 20)}" ${ratio.toFixed(2)}`);
  }
  return low;
})()"""
# Canvases that hold more than three colours: something was drawn.
DRAWN = """[...document.querySelectorAll('canvas')].filter((canvas) => {
  const copy = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  [copy.canvas.width, copy.canvas.height] = [canvas.width, canvas.height];
  copy.drawImage(canvas, 0, 0);
  const data = copy.getImageData(0, 0, canvas.width, canvas.height).data;
  const colours = new Set();
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200) colours.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
  return colours.size > 3;
}).length"""


class Browser:
    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="lacuna-chromium-")
        to_browser, self.out = os.pipe()
        self.incoming, from_browser = os.pipe()

        def connect():  # the protocol is on descriptors 3 and 4
            os.dup2(to_browser, 63)
            os.dup2(from_browser, 64)
            os.dup2(63, 3)
            os.dup2(64, 4)

        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--remote-debugging-pipe", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--hide-scrollbars", f"--user-data-dir={self.profile}", "about:blank"],
            preexec_fn=connect, close_fds=False, env={**os.environ, "HOME": self.profile},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        os.set_blocking(self.incoming, False)
        self.buffer, self.number, self.session = b"", 0, None
        self.requests, self.console, self.answers = [], [], {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while self.number not in self.answers:
            self._listen()
            if time.monotonic() > deadline:
                raise TimeoutError(f"no answer to {method}")
        answer = self.answers.pop(self.number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _listen(self):
        try:
            self.buffer += os.read(self.incoming, 1 << 20)
        except BlockingIOError:
            time.sleep(0.01)
        *messages, self.buffer = self.buffer.split(b"\0")
        for message in map(json.loads, messages):
            parameters = message.get("params", {})
            if "id" in message:
                self.answers[message["id"]] = message
            elif message["method"] == "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
            elif message["method"] == "Runtime.exceptionThrown":
                self.console.append(str(parameters["exceptionDetails"].get("exception", parameters)))
            elif message["method"] == "Log.entryAdded":
                self.console.append(parameters["entry"]["text"])
            elif message["method"] == "Runtime.consoleAPICalled":
                self.console.append(str(parameters["args"]))

    def open(self, url):
        self.call("Page.navigate", url=url)

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, f"{expression}: {answer}"
        return answer["result"].get("value")

    def wait_for(self, expression):
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if self.evaluate(expression):
                    return
            except AssertionError:
                pass  # the page is being replaced
            assert time.monotonic() < deadline, f"never true: {expression}; console {self.console}"

    def view(self, width, height, dark=False, phone=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=phone)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def picture(self, path):
        """The whole page, not only what is in sight."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def check_look(self, name):
        """Every chart is drawn, nothing is wider than the window, every text can be read."""
        self.wait_for(f"{DRAWN} === document.querySelectorAll('canvas').length")
        assert self.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"
        low = self.evaluate(CONTRAST)
        assert not low, f"{name}: contrast below 4.5: {low}"

    def check_names(self):
        """Whatever can be operated or scrolled has a name."""
        unnamed = self.evaluate("""[...document.querySelectorAll('button, input, a, [role=region], [role=progressbar], canvas')]
            .filter((element) => !(element.getAttribute('aria-label') || element.title || element.textContent.trim()
                || (element.labels && element.labels.length))).map((element) => element.outerHTML)""")
        assert not unnamed, f"without a name: {unnamed}"

    def check_headings(self):
        """They do not skip a level on the way down."""
        levels = self.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map((head) => Number(head.tagName[1]))")
        assert levels[0] == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:])), levels
