use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::{env, fs, io};

use sha2::{Digest, Sha256};

use crate::broker::amqtt;
use crate::round::TOOLS_HINT;

/// What the interfaces of plugins and the world of the examples are in.
fn wit() -> PathBuf {
    examples().join("wit")
}

/// The folder `plugins/examples`.
pub(super) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/examples")
}

/// The component of a module in Python that is in one of `folders`, with or without WASI.
pub(super) fn python(module: &str, folders: &[&Path], wasi: bool) -> PathBuf {
    let tool = env::var("AMQTT_TEST_COMPONENTIZE_PY").unwrap_or_else(|_| "componentize-py".into());
    let mut sources = vec![wit().join("acl.wit"), examples().join("python/requirements.txt")];
    sources.extend(folders.iter().flat_map(|folder| files(folder, "py")));
    made_once(module, &sources, &[wasi.into()], |output| {
        // Python writes beside the modules that it reads.
        let copies = output.with_extension("modules");
        fs::create_dir_all(&copies).expect("can make folders");
        for source in folders.iter().flat_map(|folder| files(folder, "py")) {
            fs::copy(&source, copies.join(source.file_name().expect("is a file"))).expect("can copy");
        }
        let mut command = Command::new(tool);
        command.args(["-q", "-w", "acl", "-d"]).arg(wit()).arg("componentize").arg(module);
        command.arg("-p").arg(copies).arg("-o").arg(output);
        if !wasi {
            command.arg("--stub-wasi");
        }
        // Or the modules of an environment that it is run in are put into the component.
        command.env_remove("VIRTUAL_ENV");
        run(command);
    })
}

/// The component of a module in JavaScript, with or without what prints.
pub(super) fn javascript(module: &Path, wasi: bool) -> PathBuf {
    let tool = env::var("AMQTT_TEST_COMPONENTIZE_JS").unwrap_or_else(|_| "componentize-js".into());
    let name = module.file_stem().and_then(|stem| stem.to_str()).expect("is text");
    let sources = [wit().join("acl.wit"), examples().join("javascript/package-lock.json"), module.to_owned()];
    made_once(name, &sources, &[wasi.into()], |output| {
        let mut command = Command::new(tool);
        command.arg(module).args(["-n", "acl", "-w"]).arg(wit()).arg("-o").arg(output);
        command.args(["-d", "http", "fetch-event", "random", "clocks"]);
        if !wasi {
            command.arg("stdio");
        }
        run(command);
    })
}

/// The component of a program in C.
pub(super) fn c(program: &Path) -> PathBuf {
    let name = program.file_stem().and_then(|stem| stem.to_str()).expect("is text");
    made_once(name, &[wit().join("acl.wit"), program.to_owned()], &[], |output| {
        let mut command = Command::new("clang");
        command.args(["--target=wasm32", "-O2", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-nostdlib"]);
        command.arg("-Wl,--no-entry").arg(program).arg("-o").arg(output);
        run(command);
        let component = output.with_extension("component");
        let mut command = amqtt();
        command.args(["plugin", "pack", "--world", "acl", "--wit"]).arg(wit()).arg(output).arg("-o").arg(&component);
        run(command);
        fs::rename(component, output).expect("can rename");
    })
}

/// Runs a tool.
fn run(mut command: Command) {
    match command.output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => panic!("{command:?}: {error}; {TOOLS_HINT}"),
        Err(error) => panic!("{command:?}: {error}"),
    }
}

/// Files of a folder, by the ending of their names.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("can be read").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == ending));
    files.sort();
    files
}

/// Makes a component, unless it was made of the same sources already: it takes seconds.
fn made_once(name: &str, sources: &[PathBuf], options: &[u8], make: impl FnOnce(&Path)) -> PathBuf {
    // One at a time: each uses all cores.
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(|error| error.into_inner());
    let mut digest = Sha256::new_with_prefix(options);
    for source in sources.iter().cloned().chain(files(&wit().join("deps/amqtt-plugin"), "wit")) {
        let content = fs::read(&source).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
        digest.update(content.len().to_be_bytes());
        digest.update(content);
    }
    let digest: String = digest.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples").join(digest);
    let component = folder.join(format!("{name}.wasm"));
    if component.is_file() {
        return component;
    }
    fs::create_dir_all(&folder).expect("can make folders");
    let unfinished = folder.join(format!("{name}.{}", std::process::id()));
    make(&unfinished);
    fs::rename(unfinished, &component).expect("can rename");
    component
}
