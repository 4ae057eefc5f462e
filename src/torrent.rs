//! Torrents at the command line.

use anyhow::Context as _;
use commands::{Commands, Refusal};
use domain::category;
use domain::id::TorrentId;
use domain::info_hash::InfoHash;
use domain::metainfo;
use domain::torrent::Upload;
use domain::user::Name;
use serde_json::json;

use crate::announcement;
use crate::cli;
use crate::config::Config;
use crate::store::Store;

/// Offers the torrent of a file.
pub(crate) async fn command(
    config: &Config,
    command: &cli::Torrent,
    json: bool,
) -> anyhow::Result<()> {
    let cli::Torrent::Add {
        file,
        category,
        uploader,
    } = command;
    let bytes = std::fs::read(file).with_context(|| format!("{} can't be read", file.display()))?;
    let store = Store::open(config).await?;
    let added = add(
        &store.commands,
        config,
        &bytes,
        category,
        uploader,
        String::new(),
    )
    .await;
    store.close().await?;
    let (torrent, info_hash) = added?;
    let value = json!({ "torrent": torrent, "info_hash": info_hash.to_string() });
    announcement::answer(
        json,
        &value,
        &format!("offered as {torrent}, info_hash {info_hash}"),
    );
    Ok(())
}

/// Offers a torrent in the name of a member.
pub(crate) async fn add(
    commands: &Commands,
    config: &Config,
    bytes: &[u8],
    category: &str,
    uploader: &str,
    description: String,
) -> anyhow::Result<(TorrentId, InfoHash)> {
    let checked = metainfo::read(bytes, &config.site.source)?;
    let seeded = category::seeded();
    let shelf = seeded.iter().find(|(_, shelf)| shelf.slug == category);
    let (category, _) = shelf.with_context(|| format!("there is no category {category}"))?;
    commands.seed_categories().await?;
    let member = commands.member_named(&Name::parse(uploader)?).await?;
    let uploader = member
        .with_context(|| format!("there is no member {uploader}"))?
        .id;
    let upload = Upload {
        uploader,
        name: checked.name,
        category: *category,
        description,
        info_hash: checked.info_hash,
        info_hash_v2: checked.info_hash_v2,
        size: checked.size,
        piece_length: checked.piece_length,
        files: checked.files,
        metainfo: checked.metainfo,
    };
    match commands.upload(upload).await {
        Ok(done) => Ok((done.of, checked.info_hash)),
        Err(Refusal::Taken {
            holder: Some(holder),
            ..
        }) => {
            anyhow::bail!("this torrent is offered already, as {holder}")
        }
        Err(refusal) => Err(refusal.into()),
    }
}
