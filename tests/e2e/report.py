"""report.py - what a person does with a report, by keys and pointer, in a window of some width, light or dark.

    report.py CHROMIUM PAGE WIDTH light|dark [PICTURE]     every line of the output begins with "ok" or "FAIL"
    report.py CHROMIUM PAGE WIDTH light|dark --look [PICTURE]    a page of any study: nothing but that it is in order
"""
import sys

from browser import Browser

b, failed = None, 0


def say(name, ok, found=""):
    global failed
    failed += not ok
    print(("ok " if ok else "FAIL ") + name + (f": {found}" if not ok and found != "" else ""))


def focus(css):
    b.ask(f"document.querySelector({css!r}).focus()")


def text(css):
    return b.ask(f"document.querySelector({css!r}).textContent")


def tip():
    return b.ask("document.getElementById('tip').hidden ? '' : document.getElementById('tip').textContent")


def in_order(width):
    """What holds for every page at every size."""
    say("no message, no error, no request", not b.complaints(), b.complaints())
    size = b.ask("[document.scrollingElement.scrollWidth, innerWidth]")
    say("nothing wider than the page", size[0] <= size[1] == width, size)
    say("pictures load", b.ask("Array.from(document.images).every((i) => i.complete && i.naturalWidth > 0)"))
    bad = b.ask("""Array.from(document.querySelectorAll("button, input, select, [role=region], svg[tabindex]"))
        .filter((e) => !(e.textContent.trim() || e.getAttribute("aria-label") || (e.labels && e.labels.length))).map((e) => e.outerHTML.slice(0, 80))""")
    say("every control has a name", not bad, bad)
    dead = b.ask("""Array.from(document.querySelectorAll('a[href^="#"]')).map((a) => a.getAttribute("href").slice(1))
        .filter((id) => !(id.startsWith("cell-") ? report.by.has(id.slice(5, 17)) : document.getElementById(id)))""")
    say("links resolve", not dead, dead)
    say("nothing undefined is written", b.ask("!/undefined|NaN|\\[object/.test(document.querySelector('main').innerText)"))


def contrast():
    """Of text and of every colour of the charts, against what is behind it (WCAG: 4.5 and 3)."""
    low = b.ask("""(() => {
        const style = getComputedStyle(document.documentElement), of = (name) => {
            const c = document.createElement("canvas").getContext("2d");
            c.fillStyle = style.getPropertyValue(name);
            c.fillRect(0, 0, 1, 1);
            const l = Array.from(c.getImageData(0, 0, 1, 1).data).slice(0, 3).map((v) => v / 255).map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
            return .2126 * l[0] + .7152 * l[1] + .0722 * l[2];
        };
        const ratio = (a, b) => (Math.max(of(a), of(b)) + .05) / (Math.min(of(a), of(b)) + .05);
        return [...["--fg", "--soft", "--link", "--good", "--bad", "--warn"].flatMap((f) => [[f, "--bg", 4.5], [f, "--card", 4.5]]), ["--fg", "--mark", 4.5], ["--link", "--mark", 4.5],
                ...Array.from({ length: 8 }, (x, i) => ["--s" + i, "--card", 3])].filter(([a, b, least]) => !(ratio(a, b) >= least)).map((x) => x + " " + ratio(x[0], x[1]).toFixed(2));
    })()""")
    say("contrast", not low, low)


def cells():
    heads = b.ask("Array.from(document.querySelectorAll('#cells-table thead th')).map((h) => h.textContent)")
    k = next(i for i, h in enumerate(heads) if h.startswith("FID"))
    values = f"Array.from(document.getElementById('cells-table').tBodies[0].rows).map((r) => r.cells[{k}].dataset.v)"
    for way, sign in (("ascending", 1), ("descending", -1)):
        focus(f"#cells-table th:nth-child({k + 1}) button")
        b.key("Enter")
        found = b.ask(values)
        there = [float(v) for v in found if v]
        say(f"sorted {way} by a key", there == sorted(there, key=lambda v: sign * v) and all(v == "" for v in found[len(there):])
            and b.ask(f"document.querySelector('#cells-table th:nth-child({k + 1})').getAttribute('aria-sort')") == way)
    total = b.ask("report.data.cells.length")
    focus("#filter")
    for c in "l2":
        b.key(c)
    n = b.ask("Array.from(document.querySelectorAll('#cells-table tbody tr')).filter((r) => !r.hidden).length")
    say("filter by typing", 0 < n < total and text("#shown") == f"{n} of {total} cells", text("#shown"))
    b.ask("filter = document.getElementById('filter'), filter.value = '', filter.dispatchEvent(new Event('input')), 0")
    say("filter taken back", text("#shown") == f"{total} of {total} cells")
    b.ask("document.querySelector('#cells-table').scrollIntoView()")
    wide = b.ask("""(() => { const s = document.querySelector("#cells .scroll"), cell = (i) => document.querySelector("#cells-table tbody tr").cells[i].getBoundingClientRect();
        const before = cell(3).right <= innerWidth; s.scrollLeft = 1e6; const first = cell(0).left >= 0; s.scrollLeft = 0; return [before, first]; })()""")
    say("a number beside the name of its row, without scrolling", wide[0])
    say("the name of a row stays while the numbers scroll", wide[1])


def pages():
    total = b.ask("report.data.cells.length")
    rows = "Array.from(document.querySelectorAll('#cells-table tbody tr')).filter((r) => r.offsetHeight).length"
    say("one page of cells", b.ask(rows) == 200 and text("#shown") == f"{total} of {total} cells, 1 to 200 shown", text("#shown"))
    focus("#page-on")
    b.key("Enter")
    b.key("Enter")
    say("two pages on, by a key that keeps the focus", text("#shown").endswith("401 to 600 shown") and b.ask(rows) == 200 and b.ask("document.activeElement.id") == "page-on")
    focus("#cells-table thead button")
    b.key("Enter")
    say("sorted from the first page on", text("#shown").endswith("1 to 200 shown"), text("#shown"))
    b.call("Emulation.setEmulatedMedia", media="print")
    say("all cells on paper", b.ask(rows) == total, b.ask(rows))
    b.call("Emulation.setEmulatedMedia", media="")


def evidence():
    focus("#tables td[data-more]")
    say("a cell of a table says what is behind it", "standard deviation" in tip() and "seeds: 3" in tip(), tip())
    b.key("Escape")
    say("Escape hides that", tip() == "")


def scatter():
    b.ask("document.getElementById('scatter').scrollIntoView()")
    focus("#scatter svg")
    b.key("ArrowRight")
    one = tip()
    b.key("End")
    say("arrow keys walk over the scatter's marks", one and tip() and one != tip(), [one, tip()])
    n = b.ask("document.querySelectorAll('#scatter svg.plot .mark').length")
    say("a mark for each finished cell", n == b.ask("report.data.cells.filter((c) => c.state === 'done').length"), n)
    focus("#scatter-x")
    before = b.ask("document.getElementById('scatter-x').value")
    b.key("ArrowDown")
    say("another setting across, by a key", b.ask("document.getElementById('scatter-x').value") != before
        and b.ask("document.querySelector('#scatter-x').selectedOptions[0].text") in b.ask("document.querySelector('#scatter svg.plot').getAttribute('aria-label')"))
    focus("#scatter-means")
    b.key(" ")
    n = b.ask("document.querySelectorAll('#scatter svg.plot .mark').length")
    say("means: a mark for each arm", n == b.ask("new Set(report.data.cells.filter((c) => c.state === 'done').map((c) => c.arm)).size"), n)
    focus("#scatter svg")
    b.key("ArrowRight")
    say("a mean says its seeds", "seeds)" in tip(), tip())
    focus("#scatter-means")
    b.key(" ")
    x, y = b.ask("""(() => { document.querySelector('#scatter svg').scrollIntoView(); const r = document.querySelector('#scatter svg.plot .mark').getBoundingClientRect();
        return [r.x + r.width / 2, r.y + r.height / 2]; })()""")
    b.move(x - 3, y)
    b.move(x, y)
    say("the pointer asks, too", "seed" in tip(), tip())
    b.move(1, 1)


def parallel():
    kept = "#parallel [role=status]"
    focus("#parallel summary")
    b.key("Enter")
    all_of = text(kept)
    focus("#parallel .bounds fieldset:last-child input")
    b.key("ArrowRight", 30)
    some = text(kept)
    off = b.ask("document.querySelectorAll('#parallel .line.off').length")
    say("bounds by keys", some != all_of and off > 0 and some.split()[0] == str(int(all_of.split()[0]) - off), [all_of, some, off])
    focus("#parallel-reset")
    b.key("Enter")
    say("no bounds again", text(kept) == all_of)
    x, top, bottom = b.ask("""(() => { const g = document.querySelector('#parallel .grip'); g.scrollIntoView({ block: 'center' }); const r = g.getBoundingClientRect();
        return [r.x + r.width / 2, r.top, r.bottom]; })()""")
    b.drag(x, top + 2, x, top + (bottom - top) * .35)
    say("bounds by dragging along an axis", text(kept) != all_of, text(kept))
    focus("#parallel-reset")
    b.key("Enter")


def curves():
    n = "document.querySelectorAll('#curves svg.plot .line').length"
    say("a curve for each arm", b.ask(n) == b.ask("report.data.arms.length"), b.ask(n))
    focus("#curves svg")
    b.key("End")
    say("that says its values", "step 300: " in tip(), tip())
    focus("#curve-all")
    b.key(" ")
    say("or for each cell", b.ask(n) == b.ask("report.data.cells.length"), b.ask(n))


def samples():
    shown = "Array.from(document.querySelectorAll('#sample-figures figure')).filter((f) => !f.hidden).map((f) => f.dataset.arm + '@' + f.dataset.nfe).join()"
    say("samples in the navigation", b.ask("Boolean(document.querySelector('nav a[href=\"#samples\"]'))"))
    first = b.ask(shown)
    focus("#samples-length")
    b.key("Home")
    short = b.ask(shown)
    say("the slider goes to the shortest training", short != first and "1000 training steps" in text("#samples-controls output"), [first, short])
    say("and says so", b.ask("document.getElementById('samples-length').getAttribute('aria-valuetext')") == "1000 training steps")
    focus("#samples-nfe")
    b.key("ArrowDown")
    say("two sampling steps", b.ask(shown) == short.replace("@1", "@2"), b.ask(shown))
    say("real images, or why there are none", b.ask("document.querySelector('.reals figcaption').textContent.length") > 10)


def history():
    say("builds are named", "abc123" in text("#history table") and "def456" in text("#history table"))
    focus("#history-chart svg")
    b.key("Home")
    one = tip()
    b.key("End")
    say("points of the history", "build 1" in one and "build 2" in tip(), [one, tip()])
    x, y = b.ask("(() => { const r = document.querySelector('#history-chart svg').getBoundingClientRect(); return [r.x + 2, r.y + 2]; })()")
    b.move(x, y)
    b.move(x + 3, y)
    say("a pointer far from all points takes nothing from the keyboard", "build 2" in tip(), tip())


def compare():
    focus("#compare-form button")
    b.key("Enter")
    say("a page for two cells", b.ask("!document.getElementById('page').hidden && document.getElementById('overview-all').hidden"))
    say("its heading has the focus", b.ask("document.activeElement.id") == "page-title")
    say("both curves, and a legend", b.ask("document.querySelectorAll('#page svg.plot .line').length") == 2 and b.ask("document.querySelectorAll('#page .legend li').length") == 2)
    say("samples of both", b.ask("document.querySelectorAll('#page .samples img').length") >= 4)
    marked = "document.querySelectorAll('#page tr.other').length"
    before, rows = b.ask(marked), b.ask("document.querySelectorAll('#page tbody tr').length")
    focus("#only")
    b.key(" ")
    say("differences only", 0 < before < rows and b.ask(marked) == before == b.ask("document.querySelectorAll('#page tbody tr').length"), [before, rows])
    say("the focus stays", b.ask("document.activeElement.id") == "only")
    b.key(" ")
    paper = b.ask("Array.from(document.querySelectorAll('[aria-label=settings] tr')).filter((r) => r.cells[3] && r.cells[3].textContent).map((r) => r.cells[0].textContent)")
    say("a paper's value stands only where a paper says one", "train.steps" in paper and "net.patch" not in paper and "cd.teacher" not in paper, paper)
    focus("#page svg.plot")
    b.key("End")
    say("values of a curve", "step " in tip(), tip())
    in_order(b.ask("innerWidth"))
    b.ask("location.hash = '#cells', 0")
    b.settle()
    say("back to all", b.ask("document.getElementById('page').hidden && !document.getElementById('overview-all').hidden"))


def training():
    """The slider over a training that was looked at each 20 of 100 steps."""
    shown = "Array.from(document.querySelectorAll('#sample-figures figure')).filter((f) => !f.hidden).map((f) => f.querySelector('figcaption').textContent).join('|')"
    end = b.ask(shown)
    say("at first the end of the training", "after" not in end, end)
    focus("#samples-step")
    b.key("Home")
    say("its first picture", "after 20 of 100 training steps" in b.ask(shown), b.ask(shown))
    b.key("ArrowRight")
    say("and the next", "after 40 of 100 training steps" in b.ask(shown), b.ask(shown))
    say("which the slider says", b.ask("document.getElementById('samples-step').getAttribute('aria-valuetext')") == "step 40")
    b.key("End")
    say("and back", b.ask(shown) == end)


def theme_and_paper():
    paper = "getComputedStyle(document.body).backgroundColor"
    before = b.ask(paper)
    focus("#theme")
    b.key("Enter")
    say("the other theme", b.ask(paper) != before)
    b.key("Enter")
    say("and back", b.ask(paper) == before)
    b.call("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    say("printed black on white", b.ask(paper) == "rgb(255, 255, 255)" and b.ask("getComputedStyle(document.body).color") == "rgb(0, 0, 0)")
    say("without navigation and controls", b.ask("Array.from(document.querySelectorAll('nav, .controls')).every((e) => e.offsetHeight === 0)"))
    say("with every section", b.ask("Array.from(document.querySelectorAll('main section')).filter((e) => e.id !== 'compare').every((e) => e.offsetHeight > 0)"))
    b.call("Emulation.setEmulatedMedia", media="", features=[])
    say("a PDF", b.pdf("report.pdf").startswith(b"%PDF"))


def main():
    global b
    program, page, width, scheme = sys.argv[1:5]
    rest = sys.argv[5:]
    look = "--look" in rest
    pictures = [r for r in rest if r != "--look"]
    with Browser(program, "profile") as b:
        b.open(page, int(width), 900, scheme == "dark")
        if pictures:
            b.picture(pictures[0])
        in_order(int(width))
        contrast()
        if look and not b.ask("document.getElementById('pages').hidden"):
            pages()
        if look and b.ask("Boolean(document.getElementById('samples-step'))"):
            training()
        if not look:
            for part in (evidence, scatter, parallel, curves, samples, history, compare, cells, theme_and_paper):
                part()
            say("nothing from outside became an element", b.ask("document.querySelectorAll('main i, main script, main img[src=x]').length") == 0)
            say("no message in the end", not b.complaints(), b.complaints())
    print("end")
    return failed > 0


sys.exit(main())
