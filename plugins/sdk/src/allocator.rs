//! Memory that is handed out and hardly ever taken back.
//!
//! A policy lives for one call: its whole memory is thrown away right after. Searching free lists meanwhile cost more than
//! the rules themselves, and the allocator was a fifth of a small policy's code. What is freed last is reused (a growing
//! text or list), the rest waits for the end. A policy that churns through more than its memory limit turns this off:
//! `waypost-plugin = { ..., default-features = false }`.

use std::alloc::{GlobalAlloc, Layout};
use std::arch::wasm32::{memory_grow, memory_size};
use std::cell::Cell;

const PAGE: usize = 65_536;

/// The allocator of every policy.
#[global_allocator]
static MEMORY: Upwards = Upwards { top: Cell::new(0) };

struct Upwards {
    /// Where the free part begins; 0: nothing was handed out.
    top: Cell<usize>,
}

// SAFETY: this target has one thread.
unsafe impl Sync for Upwards {}

unsafe extern "C" {
    /// Set by the linker: the first byte after data and stack.
    static __heap_base: u8;
}

impl Upwards {
    fn top(&self) -> usize {
        match self.top.get() {
            // The address alone is used.
            0 => (&raw const __heap_base) as usize,
            top => top,
        }
    }

    /// Makes the memory reach so far. False: the limit is reached.
    fn reach(end: usize) -> bool {
        let have = memory_size::<0>() * PAGE;
        end <= have || memory_grow::<0>((end - have).div_ceil(PAGE)) != usize::MAX
    }
}

// SAFETY: blocks never overlap, because `top` only moves down over the block that ends there, which its owner gave back;
// they are aligned as asked, and inside of memory that exists.
unsafe impl GlobalAlloc for Upwards {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(start) = self.top().checked_next_multiple_of(layout.align()) else { return std::ptr::null_mut() };
        match start.checked_add(layout.size()) {
            Some(end) if Self::reach(end) => {
                self.top.set(end);
                start as *mut u8
            }
            _ => std::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if block as usize + layout.size() == self.top() {
            self.top.set(block as usize);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let start = block as usize;
        if start + layout.size() == self.top() {
            return match start.checked_add(size) {
                Some(end) if Self::reach(end) => {
                    self.top.set(end);
                    block
                }
                _ => std::ptr::null_mut(),
            };
        }
        if size <= layout.size() {
            return block;
        }
        // SAFETY: the alignment was valid before, and the size is not zero (the caller's promise).
        let moved = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !moved.is_null() {
            // SAFETY: both blocks are as large as the old one at least and don't overlap.
            unsafe { std::ptr::copy_nonoverlapping(block, moved, layout.size()) };
        }
        moved
    }
}
