//! What is brought, and when it is brought again; no package is fetched here.

use super::*;

fn tool(name: &str) -> &'static Tool {
    TOOLS.iter().find(|tool| tool.name == name).unwrap()
}

/// A new place in the directory for temporary files.
fn place(name: &str) -> Place {
    let root = std::env::temp_dir().join(format!("bring-{}-{name}", std::process::id()));
    remove_if_there(&root).unwrap();
    fs::create_dir_all(root.join("bin")).unwrap();
    Place { root }
}

fn write_scripts(place: &Place, tool: &Tool, text: &str) {
    for program in tool.programs {
        fs::write(place.script_of(program.name), text).unwrap();
    }
}

fn write_stamp(place: &Place, tool: &Tool, recipe: &str) {
    let home = place.home_of(tool);
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("stamp"), format!("{recipe}\nlibx_1_amd64\n")).unwrap();
}

#[test]
fn a_tool_that_is_a_wheel_brings_python() {
    let names: Vec<_> = wanted(&["node"]).iter().map(|tool| tool.name).collect();
    assert_eq!(names, ["python", "node"]);
    let names: Vec<_> = wanted(&["nginx"]).iter().map(|tool| tool.name).collect();
    assert_eq!(names, ["nginx"]);
}

#[test]
fn a_tool_is_brought_once_until_its_recipe_changes() {
    let place = place("recipe");
    let tool = tool("chromium");
    assert!(!place.has(tool), "nothing is there");
    write_scripts(&place, tool, MARK);
    assert!(!place.has(tool), "a script alone is not the tool");
    write_stamp(&place, tool, &recipe(tool, &place.home_of(tool)));
    assert!(place.has(tool));
    fs::remove_file(place.script_of("chromedriver")).unwrap();
    assert!(!place.has(tool), "one of its programs has no script");
    write_scripts(&place, tool, MARK);
    write_stamp(&place, tool, "an older recipe");
    assert!(!place.has(tool), "it was made from an older recipe");
    fs::remove_dir_all(&place.root).unwrap();
}

#[test]
fn a_program_put_there_by_hand_is_left_alone() {
    let place = place("by-hand");
    let tool = tool("nginx");
    write_scripts(&place, tool, "#!/bin/sh\nexec nginx \"$@\"\n");
    assert!(place.has(tool));
    fs::write(place.script_of("nginx"), b"\x7fELF\xff\xfe").unwrap();
    assert!(place.has(tool));
    fs::remove_dir_all(&place.root).unwrap();
}

#[test]
fn a_tool_that_does_not_run_was_not_brought_though_an_older_one_had_been() {
    let place = place("broken");
    let tool = tool("nginx");
    write_scripts(&place, tool, MARK);
    write_stamp(&place, tool, "an older recipe");
    let tree = place.root.join("new");
    fs::create_dir_all(&tree).unwrap();
    let error = place.settle(tool, &tree, &[]).unwrap_err();
    assert!(error.to_string().contains("does not run"), "{error:#}");
    assert!(!place.has(tool), "it would be taken for brought");
    fs::remove_dir_all(&place.root).unwrap();
}

#[test]
fn what_a_killed_run_left_is_removed_and_never_used_again() {
    let place = place("killed");
    let theirs = [place.root.join("apt-0"), place.root.join("new-0")];
    for path in &theirs {
        fs::create_dir_all(path.join("partial")).unwrap();
    }
    write_stamp(&place, tool("nginx"), "any");
    place.remove_remains().unwrap();
    assert!(theirs.iter().all(|path| !path.exists()));
    assert!(place.home_of(tool("nginx")).exists(), "tools stay");
    assert!(!theirs.contains(&place.apt()) && !theirs.contains(&place.tree()));
    fs::remove_dir_all(&place.root).unwrap();
}

#[test]
fn an_unknown_tool_is_unusable() {
    assert_eq!(run(&["ngnix".to_owned()]).unwrap(), Outcome::Unusable);
}
