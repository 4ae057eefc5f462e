//! Plans as `auto_explain` writes them into PostgreSQL's log.

use serde_json::Value;

/// A statement with what was done for it.
pub(super) struct Plan {
    pub(super) query: String,
    root: Value,
}

/// Reads every plan of a log.
pub(super) fn read(log: &str) -> Vec<Plan> {
    let mut plans = vec![];
    for text in log.split(" plan:\n").skip(1) {
        // What belongs to an entry is indented.
        let own = text.lines().take_while(|line| line.starts_with('\t'));
        let json: String = own.collect();
        // What is being written just now isn't whole.
        let Ok(mut said) = serde_json::from_str::<Value>(&json) else {
            continue;
        };
        let query = said["Query Text"].as_str().unwrap_or_default();
        let query = query.split_whitespace().collect::<Vec<_>>().join(" ");
        plans.push(Plan {
            query,
            root: said["Plan"].take(),
        });
    }
    plans
}

impl Plan {
    /// Gives the first step that touched more rows than these.
    pub(super) fn step_beyond(&self, most: f64) -> Option<String> {
        let touched = |node: &Value| {
            let number = |name: &str| node[name].as_f64().unwrap_or(0.0);
            let rows = number("Actual Rows")
                + number("Rows Removed by Filter")
                + number("Rows Removed by Join Filter")
                + number("Rows Removed by Index Recheck");
            rows * number("Actual Loops")
        };
        let beyond = find(&self.root, &|node| touched(node) > most)?;
        let (kind, of) = (&beyond["Node Type"], &beyond["Relation Name"]);
        Some(format!("{} rows by {kind} of {of}", touched(beyond)))
    }

    /// Gives a table that it walks as a whole, but these; what projections write is no page's.
    pub(super) fn walks_whole(&self, but: &[&str]) -> Option<String> {
        if !self.query.starts_with("select") && !self.query.starts_with("with") {
            return None;
        }
        let walks = |node: &Value| {
            let name = node["Relation Name"].as_str().unwrap_or_default();
            node["Node Type"] == "Seq Scan" && !but.contains(&name)
        };
        let found = find(&self.root, &walks)?;
        Some(found["Relation Name"].to_string())
    }
}

/// Finds the deepest step of which something holds.
fn find<'a>(node: &'a Value, holds: &impl Fn(&Value) -> bool) -> Option<&'a Value> {
    let mut below = node["Plans"].as_array().into_iter().flatten();
    let deeper = below.find_map(|one| find(one, holds));
    deeper.or_else(|| holds(node).then_some(node))
}
