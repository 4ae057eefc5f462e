//! How the C library's allocator gives memory back.

#[cfg(target_env = "gnu")]
use std::time::{Duration, Instant};

/// Lets free memory go back to the system.
///
/// Where blocks lie is fixed, which the C library otherwise learns from how large they are. Each commit to the
/// search index has a thread that fills some megabytes for a moment, and the C library gives threads
/// heaps of their own: once it has learnt, each of those heaps keeps them. Pages that become free in the midst of
/// a heap stay there by themselves too, so they are asked for.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "nothing safe sets the allocator's options")]
pub(crate) fn give_back() {
    /// Blocks of so many bytes and more are mapped each by itself, and go back when they are free.
    const MAPPED: libc::c_int = 512 << 10;
    /// Free bytes at the end of a heap that stay for what comes next.
    const SPARE: libc::c_int = 2 << 20;
    // SAFETY: mallopt changes numbers of the allocator's own; no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED);
        libc::mallopt(libc::M_TRIM_THRESHOLD, SPARE);
    }
    let thread = std::thread::Builder::new().name("memory".to_owned());
    // Without it, the program is larger, and nothing else.
    let _asks = thread.spawn(|| ask());
}

/// Asks for free pages every now and then.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "nothing safe asks the allocator")]
fn ask() -> ! {
    const OFTEN: Duration = Duration::from_secs(30);
    loop {
        std::thread::sleep(OFTEN);
        let began = Instant::now();
        // SAFETY: malloc_trim takes each heap's own lock, and touches free blocks alone.
        unsafe { libc::malloc_trim(0) };
        tracing::debug!(took = ?began.elapsed(), "free memory went back");
    }
}

/// Others give memory back by themselves.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn give_back() {}
