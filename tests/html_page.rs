//! The HTML report as a browser lays it out, on a telephone, a tablet and a desk: nothing overflows, nothing is fetched.
//!
//! The page stands in a frame of each width within one document that measures it and writes down what it finds.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// Where Debian and others put the browser.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Widths in pixels.
const WIDTHS: [u32; 3] = [400, 900, 1400];
/// Without these it looks for updates, and for a sandbox that a container does not have.
const QUIETLY: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// What each frame is asked: whether it scrolls sideways, which elements reach beyond it, how much text is too small, what it fetches.
const MEASURE: &str = r#"
<pre id="found"></pre>
<script>
addEventListener("load", () => {
  const out = [];
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument, root = page.documentElement, width = frame.clientWidth;
    if (root.scrollWidth > width) out.push(`${width}: scrolls to ${root.scrollWidth}`);
    for (const element of page.body.querySelectorAll("*")) {
      if (element.closest(".scroll") || element.closest(".skip") || element.closest("svg") && element.tagName !== "svg") continue;
      const box = element.getBoundingClientRect();
      if (box.width && (box.right > width + 1 || box.left < -1)) out.push(`${width}: <${element.tagName} class="${element.className.baseVal ?? element.className}"> from ${box.left} to ${box.right}`);
    }
    for (const text of page.querySelectorAll("figure > svg text, .effect svg text")) {
      const svg = text.closest("svg"), scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
      if (svg.getBoundingClientRect().width && 13 * scale < 9) out.push(`${width}: text of ${13 * scale} px`);
      const box = text.getBoundingClientRect(), around = svg.getBoundingClientRect();
      if (box.right > around.right + 2 || box.left < around.left - 2) out.push(`${width}: "${text.textContent}" leaves its plot`);
    }
    for (const element of page.querySelectorAll("[src], [href], [srcset], [poster], [data]")) {
      const to = element.getAttribute("src") ?? element.getAttribute("href") ?? "elsewhere";
      if (!/^(data:|#)/.test(to)) out.push(`${width}: fetches ${to}`);
    }
    out.push(`${width}: measured ${page.querySelectorAll("svg").length} plots, ${page.querySelectorAll("img").length} pictures`);
  }
  document.getElementById("found").textContent = out.join("\n");
});
</script>"#;

/// A browser, or none on a machine without. CI installs one, so there it must exist.
fn browser() -> Option<&'static str> {
    let found = BROWSERS.into_iter().find(|name| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success()));
    assert!(found.is_some() || std::env::var_os("CI").is_none(), "no browser; install chromium");
    if found.is_none() {
        eprintln!("skipped: no browser; install chromium");
    }
    found
}

/// The page of a stored report.
fn page_of(report: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_nanprobe")).arg("report").arg(report).args(["--format", "html"]).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What the browser measures of the page at each width.
fn measured(browser: &str, page: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut document = String::from("<!doctype html><meta charset=\"utf-8\">");
    // The page's own policy forbids scripts, and so says that it needs none; the frame's document is measured from outside.
    let within = page.replace('&', "&amp;").replace('"', "&quot;");
    for width in WIDTHS {
        write!(document, r#"<iframe style="width:{width}px;height:900px;border:0" srcdoc="{within}"></iframe>"#).unwrap();
    }
    document += MEASURE;
    let path = folder.path().join("frames.html");
    std::fs::write(&path, document).unwrap();
    let output = Command::new(browser)
        .args(QUIETLY)
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .args(["--window-size=1600,1000", "--virtual-time-budget=10000", "--dump-dom"])
        .arg(format!("file://{}", path.display()))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.split("<pre id=\"found\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    found.unwrap_or_else(|| panic!("the browser wrote {text}: {}", String::from_utf8_lossy(&output.stderr))).to_owned()
}

#[test]
fn a_page_fits_every_screen_and_fetches_nothing() {
    let Some(browser) = browser() else { return };
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/reports");
    let mut seen = 0;
    for entry in std::fs::read_dir(reports).unwrap() {
        let report = entry.unwrap().path();
        let found = measured(browser, &page_of(&report));
        let complaints: Vec<&str> = found.lines().filter(|line| !line.contains(": measured ")).collect();
        assert!(complaints.is_empty(), "{}:\n{}", report.display(), complaints.join("\n"));
        assert_eq!(found.lines().count(), WIDTHS.len(), "{found}");
        seen += 1;
    }
    assert!(seen >= 2, "fixtures/reports holds {seen} reports");
}

/// What the test above rests on.
#[test]
fn a_page_that_overflows_or_fetches_is_noticed() {
    let Some(browser) = browser() else { return };
    let bad = r#"<!doctype html><style>p { width: 1000px }</style><p>wide</p><img src="nowhere.png" width="10">
        <figure><svg viewBox="0 0 4000 100"><text x="3990" y="50">a long text</text></svg></figure>"#;
    let found = measured(browser, bad);
    for complaint in ["400: scrolls to 1", "900: &lt;P", "1400: fetches nowhere.png", "400: text of", "\"a long text\" leaves its plot"] {
        assert!(found.contains(complaint), "`{complaint}` is not in:\n{found}");
    }
    assert!(!found.contains("1400: scrolls"), "{found}");
}
