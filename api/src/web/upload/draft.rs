//! The fields of what a torrent's page says besides its file: at the upload, and when it is edited.

use domain::id::TagId;
use domain::torrent::MOST_TAGS;
use maud::{Markup, html};
use projections::category::Category;
use projections::tag::Tag;

use crate::app::App;
use crate::problem::Problem;
use crate::web::component::sanitised;
use crate::web::form::submit;
use crate::web::markdown;

/// How the names of the fields begin that hold a tag.
pub(crate) const TAG: &str = "tag-";

/// What the fields hold.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) tree: Vec<Category>,
    pub(crate) tags: Vec<Tag>,
    /// The slug of the chosen category.
    pub(crate) category: String,
    pub(crate) description: String,
    pub(crate) chosen: Vec<TagId>,
    /// Whether it is shown how the description will look.
    pub(crate) preview: bool,
}

impl Draft {
    /// Begins empty.
    pub(crate) async fn new(app: &App) -> Result<Self, Problem> {
        Ok(Self {
            tree: projections::category::tree(&app.reads).await?.to_vec(),
            tags: projections::tag::all(&app.reads).await?.to_vec(),
            ..Self::default()
        })
    }
}

/// The fields; what is retired can only be left where it is.
pub(crate) fn fields(draft: &Draft) -> Markup {
    let shelves = draft.tree.iter();
    let shelves = shelves.filter(|one| !one.retired || one.slug == draft.category);
    let has = |tag: &Tag| draft.chosen.contains(&tag.id);
    let tags: Vec<&Tag> = draft
        .tags
        .iter()
        .filter(|tag| !tag.retired || has(tag))
        .collect();
    html! {
        div.field {
            label for="category" { "Category" }
            select id="category" name="category" required {
                option value="" { "Choose one" }
                @for one in shelves {
                    option value=(one.slug) selected[one.slug == draft.category] { @if one.depth > 0 { "– " } (one.name) }
                }
            }
        }
        @if !tags.is_empty() {
            fieldset.picker {
                legend { "Tags" }
                p.hint { "Up to " (MOST_TAGS) ". Optional." }
                @for tag in tags {
                    span class={ "tag " (tag.colour.name()) } {
                        input id={ (TAG) (tag.id) } name={ (TAG) (tag.id) } type="checkbox" value="yes" checked[has(tag)];
                        label for={ (TAG) (tag.id) } { (tag.name) }
                    }
                }
            }
        }
        div.field {
            label for="description" { "Description" }
            textarea id="description" name="description" rows="10" maxlength="50000" aria-describedby="description-hint" { (draft.description) }
            p.hint id="description-hint" { "Markdown: **bold**, [links](https://…), lists, tables. Optional." }
            div.more data-preview-region aria-live="polite" {
                @if draft.preview { section.card.preview aria-label="Preview" { (sanitised(&markdown::render(&draft.description))) } }
            }
        }
    }
}

/// The buttons: sending comes first, so that it is what the Enter key does.
pub(crate) fn buttons(label: &str) -> Markup {
    html! {
        (submit(label))
        " "
        button type="submit" name="preview" value="yes" formnovalidate data-preview-button { "Preview" }
    }
}
