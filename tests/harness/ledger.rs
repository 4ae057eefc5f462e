//! What a ledger's page shows.

/// The last row of a ledger: all that was uploaded and downloaded. It must equal the lines above it.
pub fn sums(page: &str) -> Option<(u64, u64)> {
    let (lines, _) = page.split_once("<tfoot>")?;
    let sum = totals(page)?;
    let added: (u64, u64) = (
        bytes(lines, "data-label=\"Up\"").iter().sum(),
        bytes(lines, "data-label=\"Down\"").iter().sum(),
    );
    assert_eq!(sum, added, "the lines add up to the totals");
    Some(sum)
}

/// The last row of a ledger, of which a page may show a part.
pub fn totals(page: &str) -> Option<(u64, u64)> {
    let (_, foot) = page.split_once("<tfoot>")?;
    Some((
        *bytes(foot, "data-label=\"Up\"").first()?,
        *bytes(foot, "data-label=\"Down\"").first()?,
    ))
}

/// The bytes in a column's cells.
fn bytes(text: &str, label: &str) -> Vec<u64> {
    let cells = text.split(label).skip(1);
    cells
        .filter_map(|cell| {
            cell.split("title=\"")
                .nth(1)?
                .split(' ')
                .next()?
                .parse()
                .ok()
        })
        .collect()
}
