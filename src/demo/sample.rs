//! The torrents of the demo.

use domain::bencode::write_bytes;

/// A made-up torrent of one or two small files.
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) category: &'static str,
    pub(super) description: &'static str,
    /// Thousands of bytes.
    kilobytes: u64,
}

/// All of them, the liveliest first.
pub(super) const ALL: [Sample; 16] = [
    sample(
        "Debian.12.bookworm.netinst.amd64.iso",
        "software-linux",
        "The **small installer** of Debian 12.\n\n- boots from a stick\n- fetches the rest itself",
        627_000,
    ),
    sample(
        "Sintel.2010.2160p.WEB.x265",
        "movies-uhd",
        "The open film by the Blender Foundation.\n\n| track | language |\n|---|---|\n| audio | English |\n| subtitles | many |",
        5_100_000,
    ),
    sample(
        "Big.Buck.Bunny.2008.1080p.BluRay",
        "movies-hd",
        "A rabbit, three rodents and [a film](https://peach.blender.org).",
        886_000,
    ),
    sample(
        "Cosmos.Laundromat.2015.1080p",
        "movies-hd",
        "A sheep and a salesman.",
        741_000,
    ),
    sample(
        "Tears.of.Steel.2012.2160p",
        "movies-uhd",
        "Amsterdam, robots and a broken heart.",
        6_300_000,
    ),
    sample(
        "Bach.Goldberg.Variations.Open.FLAC",
        "audio-lossless",
        "Recorded for everybody, *24 bit*.",
        512_000,
    ),
    sample(
        "LibriVox.Moby.Dick.Unabridged",
        "audio-books",
        "Call me Ishmael.",
        678_000,
    ),
    sample(
        "Project.Gutenberg.Top.100.epub",
        "books-e",
        "The hundred books that are read most.",
        98_000,
    ),
    sample(
        "Arch.Linux.2026.11.01.x86_64.iso",
        "software-linux",
        "A rolling release, this month's image.",
        1_120_000,
    ),
    sample(
        "Blender.Studio.Caminandes.S01.1080p",
        "tv-hd",
        "Three short tales of a llama.",
        320_000,
    ),
    sample(
        "0.A.D.Release.27.linux",
        "games-pc",
        "Ancient warfare, free for ever.",
        1_400_000,
    ),
    sample(
        "Pepper.and.Carrot.Complete.cbz",
        "books-comics",
        "A young witch and her cat.",
        210_000,
    ),
    sample(
        "Wikipedia.Simple.English.2026.10.zim",
        "other",
        "Read it without a line.",
        870_000,
    ),
    sample(
        "demo-secret-marker.tar",
        "other",
        "This text holds demo-secret-marker, so that you can look for it.",
        64,
    ),
    sample(
        "Elephants.Dream.2006.1080p",
        "movies-hd",
        "The first of the open films.",
        815_000,
    ),
    sample(
        "openSUSE.Tumbleweed.DVD.x86_64.iso",
        "software-linux",
        "It rolls, and waits for approval.",
        4_300_000,
    ),
];

const fn sample(
    name: &'static str,
    category: &'static str,
    description: &'static str,
    kilobytes: u64,
) -> Sample {
    Sample {
        name,
        category,
        description,
        kilobytes,
    }
}

impl Sample {
    /// Writes the .torrent file.
    pub(super) fn torrent(&self, source: &str) -> Vec<u8> {
        let piece = if self.kilobytes > 100_000 {
            4 << 20
        } else {
            64 << 10
        };
        written(self.name, self.kilobytes * 1_000, piece, source)
    }
}

/// Writes a .torrent file, private and of this source, of a file and notes beside it; its pieces are
/// made up.
pub(super) fn written(name: &str, length: u64, piece: u64, source: &str) -> Vec<u8> {
    let notes = name.len() + 20;
    let total = length + u64::try_from(notes).unwrap_or(0);
    let pieces = usize::try_from(total.div_ceil(piece)).unwrap_or(0) * 20;
    let mut info = vec![];
    let text = |text: &str, to: &mut Vec<u8>| write_bytes(text.as_bytes(), to);
    info.extend(format!("d5:filesld6:lengthi{length}e4:pathl").as_bytes());
    text(name, &mut info);
    info.extend(format!("eed6:lengthi{notes}e4:pathl5:notes10:README.txteee4:name").as_bytes());
    text(name, &mut info);
    info.extend(format!("12:piece lengthi{piece}e6:pieces").as_bytes());
    let made_up: Vec<u8> = name.bytes().cycle().take(pieces).collect();
    write_bytes(&made_up, &mut info);
    info.extend(b"7:privatei1e6:source");
    text(source, &mut info);
    info.push(b'e');
    [b"d4:info".as_slice(), &info, b"e"].concat()
}
