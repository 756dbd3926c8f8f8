//! Builds `page/` with npm and embeds what comes of it. Without Node, or without a network, the server is built all the same,
//! with a plain page that says what is missing. `HOSTEL_PAGE=off` does without the page on purpose.
//!
//! Nothing is written into the source tree but `page/node_modules`.

use std::{
    env, fs,
    fs::File,
    io,
    path::{Path, PathBuf},
    process::Command,
};

/// What the page is made of: when one of these changes, it is made again.
const SOURCES: [&str; 6] = ["src", "index.html", "build.mjs", "package.json", "package-lock.json", ".npmrc"];

fn main() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../page");
    for source in SOURCES {
        println!("cargo:rerun-if-changed={}", page.join(source).display());
    }
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=HOSTEL_PAGE");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let made = out.join("page");
    let embedded = match bundle(&page, &made) {
        Ok(()) => embed(&made),
        Err(why) => {
            println!("cargo:warning=The server is built without its page: {why}");
            format!("pub(crate) const WHY_NOT: Option<&str> = Some({why:?});\n{NOTHING}")
        }
    };
    fs::write(out.join("embedded.rs"), embedded).expect("OUT_DIR can be written to");
}

const NOTHING: &str = "pub(crate) const INDEX: &str = \"\";\npub(crate) const ASSETS: &[Asset] = &[];\n";

fn bundle(page: &Path, made: &Path) -> Result<(), String> {
    if env::var("HOSTEL_PAGE").is_ok_and(|value| value == "off") {
        return Err("HOSTEL_PAGE is off".into());
    }
    if !works("node") || !works(NPM) {
        return Err(
            "Node.js 20 with npm is not on the PATH; install it, run `touch page/package.json`, and build again".into(),
        );
    }
    // Builds of two profiles at a time share one node_modules.
    let lock = page.join("package-lock.json");
    let held = File::open(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    held.lock().map_err(|error| error.to_string())?;
    install(page, &lock)?;
    run(Command::new("node").arg("build.mjs").arg("--out").arg(made).current_dir(page))
}

const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

fn works(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Installs the packages, if they are not those of the lock file already.
fn install(page: &Path, lock: &Path) -> Result<(), String> {
    let stamp = page.join("node_modules/.hostel-lock");
    let wanted = fs::read(lock).map_err(|error| error.to_string())?;
    if fs::read(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let mut npm = Command::new(NPM);
    npm.args(["ci", "--no-audit", "--no-fund", "--silent", "--prefer-offline"]);
    npm.args(["--fetch-retries=1", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=2000"]);
    run(npm.current_dir(page)).map_err(|why| {
        format!("its npm packages could not be fetched; with a network, run `npm ci` in page/, `touch page/package.json`, and build again ({why})")
    })?;
    fs::write(stamp, wanted).map_err(|error| error.to_string())
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).take(3).collect();
    Err(format!("{} failed: {}", command.get_program().to_string_lossy(), said.join("; ")))
}

/// The files as Rust: `include_bytes!` of each, with its compressed forms.
fn embed(made: &Path) -> String {
    let mut assets: Vec<_> = names(&made.join("assets")).unwrap_or_default();
    assets.sort();
    let include = |path: PathBuf| format!("include_bytes!({path:?})");
    let maybe = |path: PathBuf| if path.exists() { format!("Some({})", include(path)) } else { "None".to_owned() };
    let rows = assets.iter().filter(|name| !name.ends_with(".br") && !name.ends_with(".gz")).map(|name| {
        let at = |ending: &str| made.join("assets").join(format!("{name}{ending}"));
        let (plain, brotli, gzip) = (include(at("")), maybe(at(".br")), maybe(at(".gz")));
        format!("    Asset {{ name: {name:?}, plain: {plain}, brotli: {brotli}, gzip: {gzip} }},\n")
    });
    format!(
        "pub(crate) const WHY_NOT: Option<&str> = None;\npub(crate) const INDEX: &str = include_str!({:?});\n\
         pub(crate) const ASSETS: &[Asset] = &[\n{}];\n",
        made.join("index.html"),
        rows.collect::<String>()
    )
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}
