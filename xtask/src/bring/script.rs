//! The text of start scripts, which tell an unpacked program where its libraries and fonts are.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error};

use super::table::Program;

/// By this line a script of ours is known; a program somebody put there by hand is left alone.
pub(super) const MARK: &str = "# Written by `cargo xtask bring`.";

/// Where an unpacked tool keeps what its programs must be told of.
#[derive(Debug)]
pub(super) struct Surroundings {
    libraries: Vec<PathBuf>,
    fonts: Option<PathBuf>,
}

impl Surroundings {
    /// Looks at what was unpacked at `tree` and will lie at `home`; writes the font
    /// configuration, if there are fonts.
    ///
    /// # Errors
    /// When a directory cannot be read or the configuration cannot be written.
    pub(super) fn of(tree: &Path, home: &Path) -> Result<Self, Error> {
        let mut libraries = Vec::new();
        for parent in ["usr/lib", "lib"] {
            for triplet in directories_in(&tree.join(parent))? {
                if !triplet.to_string_lossy().contains("-linux-gnu") {
                    continue;
                }
                // Some libraries lie one directory deeper and are found by an absolute path
                // that a system would have.
                let deeper = directories_in(&triplet)?;
                libraries.push(triplet);
                libraries.extend(deeper.into_iter().filter(|path| has_libraries(path)));
            }
        }
        let at_home = |path: PathBuf| path.strip_prefix(tree).map(|path| home.join(path));
        let libraries = libraries
            .into_iter()
            .map(at_home)
            .collect::<Result<_, _>>()?;
        let mut fonts = None;
        if tree.join("usr/share/fonts").is_dir() {
            fs::write(tree.join("fonts.conf"), font_configuration(home))?;
            fonts = Some(home.join("fonts.conf"));
        }
        Ok(Self { libraries, fonts })
    }

    /// The script that starts the program from `home`.
    pub(super) fn script(&self, program: &Program, home: &Path) -> String {
        let libraries: Vec<_> = self.libraries.iter().map(|path| path.display()).collect();
        let libraries: Vec<_> = libraries.iter().map(ToString::to_string).collect();
        let mut text = format!(
            "#!/bin/sh\n{MARK}\nexport LD_LIBRARY_PATH={}\n",
            quoted(&libraries.join(":"))
        );
        if let Some(fonts) = &self.fonts {
            let fonts = quoted(&fonts.display().to_string());
            text.push_str(&format!("export FONTCONFIG_FILE={fonts}\n"));
        }
        let path = quoted(&home.join(program.path).display().to_string());
        let arguments: String = program.arguments.iter().map(|a| format!(" {a}")).collect();
        text.push_str(&format!("exec {path}{arguments} \"$@\"\n"));
        text
    }
}

/// The text in single quotes of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Without a configuration of its own, fontconfig looks below `/etc` and pages have no text.
fn font_configuration(home: &Path) -> String {
    let home = home.display().to_string();
    let home = home.replace('&', "&amp;").replace('<', "&lt;");
    let alias = |generic: &str, family: &str| {
        format!(
            "  <alias><family>{generic}</family><prefer><family>{family}</family></prefer></alias>\n"
        )
    };
    format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE fontconfig SYSTEM \"fonts.dtd\">\n<fontconfig>\n  \
         <dir>{home}/usr/share/fonts</dir>\n  <cachedir>{home}/fonts.cache</cachedir>\n{}{}{}{}\
         </fontconfig>\n",
        alias("sans-serif", "Liberation Sans"),
        alias("system-ui", "Liberation Sans"),
        alias("serif", "Liberation Serif"),
        alias("monospace", "Liberation Mono"),
    )
}

/// The directories in a directory, by name; none if it does not exist.
fn directories_in(parent: &Path) -> Result<Vec<PathBuf>, Error> {
    if !parent.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let entries = fs::read_dir(parent).with_context(|| format!("in {}", parent.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn has_libraries(directory: &Path) -> bool {
    let Ok(mut entries) = fs::read_dir(directory) else {
        return false;
    };
    entries.any(|entry| {
        entry.is_ok_and(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("lib") && name.contains(".so")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Program = Program {
        name: "server",
        path: "usr/sbin/server",
        arguments: &["--quiet"],
        version: "-v",
    };

    #[test]
    fn a_script_hands_on_its_arguments_and_replaces_its_shell() {
        let surroundings = Surroundings {
            libraries: vec!["/t/a".into(), "/t/b".into()],
            fonts: None,
        };
        assert_eq!(
            surroundings.script(&PROGRAM, Path::new("/t")),
            "#!/bin/sh\n# Written by `cargo xtask bring`.\nexport LD_LIBRARY_PATH='/t/a:/t/b'\n\
             exec '/t/usr/sbin/server' --quiet \"$@\"\n"
        );
    }

    #[test]
    fn a_quote_in_a_path_stays_a_quote() {
        assert_eq!(quoted("/it's"), r"'/it'\''s'");
    }
}
