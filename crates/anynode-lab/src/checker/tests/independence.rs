//! The checker judges by the history alone.

#[test]
fn the_checker_uses_nothing_of_ours_but_the_history() {
    let sources = [
        include_str!("../mod.rs"),
        include_str!("../sessions.rs"),
        include_str!("../updates.rs"),
        include_str!("../revocations.rs"),
        include_str!("../requests.rs"),
        include_str!("../failures.rs"),
        include_str!("../ends.rs"),
        include_str!("../spread.rs"),
        include_str!("../staleness.rs"),
        include_str!("../../history/mod.rs"),
        include_str!("../../history/call.rs"),
        include_str!("../../history/incident.rs"),
        include_str!("../../history/witness.rs"),
    ];
    for line in sources.iter().flat_map(|source| source.lines()) {
        let code = line.split("//").next().unwrap_or_default();
        assert!(!code.contains("anynode"), "{line}");
        let outside = code.replace("crate::history::", "");
        assert!(!outside.contains("crate::"), "{line}");
    }
}
