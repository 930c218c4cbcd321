"""Runs the loaders: check.py CACHE generator.onnx EXPECTED.png FOLDER

EXPECTED.png is ganinfer's grid of 64 digits of seed 7. Each loader writes its own
into FOLDER. Runtimes add in different orders, so a value at the middle between two
levels may become either: a pixel may be one level off, one pixel in a thousand.
"""

import functools
import http.server
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from statistics import NormalDist

import numpy as np
import onnxruntime
from PIL import Image
from playwright import sync_api as playwright_api

HERE = Path(__file__).resolve().parent
CACHE, MODEL, EXPECTED, OUT = (Path(a).resolve() for a in sys.argv[1:])
SEED = 7
ORT_JAVA = "1.29.0"
# No registry has ONNX Runtime's releases for C++. This package has their headers,
# of version 1.29; the library is Java's.
ORT_HEADERS = "com.github.asus4.onnxruntime@0.4.9"


class Skipped(Exception):
    pass


def need(*programs):
    for p in programs:
        if not shutil.which(p):
            raise Skipped(f"no {p}")


def run(*command, cwd=None):
    p = subprocess.run([str(c) for c in command], cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if p.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}: exit code {p.returncode}: {p.stdout[-2000:]}")


def npm(folder, *packages):
    # Without its install script, which fetches CUDA's libraries.
    run("npm", "install", "--ignore-scripts", "--prefix", folder, *packages)
    return folder / "node_modules"


def python(out):
    run(sys.executable, HERE / "python/digits.py", MODEL, out, SEED)


def node(out):
    need("node", "npm")
    folder = CACHE / "node"
    shutil.copytree(HERE / "node", folder, dirs_exist_ok=True)
    npm(folder)
    run("node", folder / "digits.mjs", MODEL, out, SEED)


def jar():
    path = CACHE / f"java/onnxruntime-{ORT_JAVA}.jar"
    if not path.exists():
        need("mvn")
        artifact = f"com.microsoft.onnxruntime:onnxruntime:{ORT_JAVA}"
        run("mvn", "-q", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={path.parent}")
    return path


def java(out):
    need("java")
    run("java", "-cp", jar(), HERE / "java/Digits.java", MODEL, out, SEED)


def rust(out):
    need("cargo")
    target = CACHE / "rust"
    run("cargo", "build", "--release", "--locked", "--manifest-path", HERE / "rust/Cargo.toml", "--target-dir", target)
    run(target / "release/digits", MODEL, out, SEED)


def cpp(out):
    need("g++")
    if not Path("/usr/include/png.h").exists():
        raise Skipped("no libpng-dev")
    ort, program = CACHE / "cpp", CACHE / "cpp/digits"
    if not (ort / "lib/libonnxruntime.so.1").exists():
        need("npm")
        (ort / "lib").mkdir(parents=True, exist_ok=True)
        headers = next(npm(ort / "npm", ORT_HEADERS).rglob("onnxruntime_cxx_api.h")).parent
        shutil.copytree(headers, ort / "include", dirs_exist_ok=True)
        shutil.rmtree(ort / "npm")
        with zipfile.ZipFile(jar()) as z:
            (ort / "lib/libonnxruntime.so").write_bytes(z.read("ai/onnxruntime/native/linux-x64/libonnxruntime.so"))
        (ort / "lib/libonnxruntime.so.1").symlink_to("libonnxruntime.so")
    run("g++", "-O2", "-std=c++20", HERE / "cpp/digits.cpp", f"-I{ort}/include", f"-L{ort}/lib",
        "-lonnxruntime", "-lpng", f"-Wl,-rpath,{ort}/lib", "-o", program)  # fmt: skip
    run(program, MODEL, out, SEED)


def same_picture(out):
    got, want = (np.asarray(Image.open(p)).astype(int) for p in (out, EXPECTED))
    assert got.shape == want.shape, f"{got.shape[::-1]} pixels, want {want.shape[::-1]}"
    difference = abs(got - want)
    off = np.count_nonzero(difference)
    assert difference.max() <= 1 and off <= got.size / 1000, f"{off} pixels differ from ganinfer's, by up to {difference.max()} levels"
    return f"{off} of {got.size} pixels are one level off"


def web(out):
    need("npm")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        raise Skipped("no chromium")
    page_source = (HERE / "web/index.html").read_text()
    cdn, package = re.search(r'src="(https://.*/npm/(onnxruntime-web@[\d.]+)/dist/)', page_source).groups()
    dist = npm(CACHE / "web", package) / "onnxruntime-web/dist"
    site = OUT / "site"
    site.mkdir(exist_ok=True)
    shutil.copy(HERE / "web/index.html", site)
    shutil.copy(MODEL, site / "generator.onnx")
    handler = functools.partial(Quiet, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, playwright_api.sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 800, "height": 820})
        complaints = []
        page.on("pageerror", lambda e: complaints.append(str(e)))
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)

        def serve(route):  # the package's own bytes in the place of the network's copy
            headers = {"access-control-allow-origin": "*"}
            route.fulfill(path=dist / route.request.url.removeprefix(cdn), headers=headers)

        page.route(cdn + "**", serve)
        try:
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            said = drive(page, out)
            assert not complaints, "the page complains"
            return said
        except (AssertionError, playwright_api.Error) as e:
            raise AssertionError(f"{e} {complaints or ''}") from e
        finally:
            browser.close()
            server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def drive(page, out):
    """Moves the slider and holds what the page computes and draws against onnxruntime."""
    page.wait_for_function("session !== undefined && !busy")
    page.evaluate(f"seed = {SEED}")
    session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    size = session.get_inputs()[0].shape[1]
    a, b = (np.array([noise(first + i, size) for i in range(64)]) for first in (0, 64))
    worst, drawn = 0, []
    for degrees in (0, 90, 200):
        page.locator("#slider").fill(str(degrees))
        page.wait_for_function("!busy")
        z = np.cos(np.radians(degrees)) * a + np.sin(np.radians(degrees)) * b
        want = session.run(None, {"z": z.astype("float32")})[0]
        got = page.evaluate(f"generate(latent(seed, {degrees})).then((image) => Array.from(image.data))")
        worst = max(worst, abs(np.reshape(got, want.shape) - want).max())
        assert worst <= 1e-4, f"at {degrees} degrees the page departs from onnxruntime by {worst:.1e}"
        width, pixels = page.evaluate("[canvas.width, Array.from(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data)]")
        pixels = np.reshape(pixels, (-1, width, 4))[..., 0]
        h, w = want.shape[2:]
        cells = [pixels[row * (h + 1) :, column * (w + 1) :][:h, :w] for row in range(8) for column in range(8)]
        off = abs(np.array(cells) - np.floor((want[:, 0] + 1) * 127.5 + 0.5)).max()
        assert off <= 1, f"at {degrees} degrees the canvas is up to {off} levels off"
        drawn.append(np.array(cells))
    moved = min(np.count_nonzero(abs(x - y) > 32) for x, y in ((drawn[0], drawn[1]), (drawn[1], drawn[2])))
    assert moved > drawn[0].size / 20, f"the slider changed {moved} of {drawn[0].size} pixels"
    page.locator("#slider").blur()
    page.screenshot(path=out)
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("slider.valueAsNumber > 205")
    page.get_by_role("button", name="Pause").click()
    return f"within {worst:.1e} of onnxruntime at 3 positions of the slider, each of which moves {moved} of {drawn[0].size} pixels or more"


def noise(image, size):
    words = np.random.Philox(key=[SEED, 0], counter=[0, 0, image, 0]).random_raw(size)
    return [NormalDist().inv_cdf(u) for u in ((words >> np.uint64(12)) + 0.5) * 2.0**-52]


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for load in (python, node, web, java, rust, cpp):
        out = OUT / f"{load.__name__}.png"
        try:
            said, result = load(out) or same_picture(out), "passed"
        except Skipped as e:
            said, result = e, "skipped"
        except AssertionError as e:
            said, result = e, "failed"
        count[result] += 1
        print(f"{load.__name__}: {result}: {said}", flush=True)
    print("loaders: " + ", ".join(f"{n} {result}" for result, n in count.items()))
    sys.exit(count["failed"] > 0)


if __name__ == "__main__":
    main()
