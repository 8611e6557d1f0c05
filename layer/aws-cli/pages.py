"""The pages of memory that calls write to, which a fork of the server gets before it has a caller.

A fork has the pages of the server until one of the two writes to them: then the kernel copies the page.
Python writes to an object to look at it, so that a call of a service had 3,500 pages copied one by one, a
third of its time. Now a call tells which pages those were, and the next fork has them copied while it
waits for its caller.
"""

import array
import errno
import os

PAGE = os.sysconf('SC_PAGE_SIZE')
# Beyond these a fork would have more pages for the first time than it has a use for: 24 MB.
PAGES_MAX = 6_000
# A call that had to be given more pages than this tells which it has written to.
FAULTS_FEW = 400
# The most that one call of the kernel takes.
IOV_MAX = 1024
# In the last byte of an entry of /proc/PID/pagemap: the page is there, and no other process has it.
# https://docs.kernel.org/admin-guide/mm/pagemap.html
OWN = 1 << 7 | 1


class Pages:
    """What the server knows of the pages, and with it each fork."""

    def __init__(self):
        # Where a call tells its pages: they are longer than a lesson can be.
        self.told = os.memfd_create('pages')
        # An address in each page, and one byte: what the kernel calls a vector.
        self.vectors = array.array('Q')
        self.write = None
        self.few = FAULTS_FEW

    def learn(self):
        """Takes what a call has told, in the server."""
        if self.write is None:
            self.prepare()
        before = len(self.vectors) // 2
        told = os.pread(self.told, 8 * PAGES_MAX, 0)
        # Another call may have been cut while it wrote.
        known = array.array('Q', told[: len(told) // 8 * 8])
        self.vectors = array.array('Q', (word for page in known for word in (page * PAGE, 1)))
        # A call needs pages of its own as well: one that has little to tell should not do it again.
        if len(known) < before + self.few:
            self.few *= 2

    def prepare(self):
        import ctypes

        self.errno = ctypes.get_errno
        write = ctypes.CDLL(None, use_errno=True).process_vm_writev
        vectors = ctypes.c_void_p, ctypes.c_ulong
        write.argtypes = ctypes.c_int, *vectors, *vectors, ctypes.c_ulong
        write.restype = ctypes.c_ssize_t
        self.write = write

    def copy(self):
        """Has the pages copied, in a fork: writes a byte of each over itself (process_vm_writev(2))."""
        address, words = self.vectors.buffer_info()
        end = address + 8 * words
        while address < end:
            count = min((end - address) // 16, IOV_MAX)
            vectors = address, count
            written = self.write(os.getpid(), *vectors, *vectors, 0)
            if written < 0 and self.errno() != errno.EFAULT:
                # Not in this sandbox.
                break
            # It ends before a page in which this process cannot write.
            address += 16 * (count if written == count else max(written, 0) + 1)
        self.mappings = list(private_mappings())
        self.faults = count_of_faults()

    def tell(self):
        """Tells which pages of the server this call has written to, in its fork, if these were many."""
        if count_of_faults() - self.faults < self.few:
            return False
        pages = array.array('Q')
        with open('/proc/self/pagemap', 'rb', 0) as file:
            for start, count in self.mappings:
                flags = os.pread(file.fileno(), 8 * count, 8 * start)[7::8]
                pages.extend(start + i for i, flag in enumerate(flags) if flag & OWN == OWN)
        # The limit of file sizes may cut it: what the server knows is more then.
        written = os.pwrite(self.told, pages, 0)
        if written < 8 * len(pages):
            return False
        # Last: the server may be reading it for another call.
        os.ftruncate(self.told, written)
        return True


def private_mappings():
    """The first page and the number of pages of all memory of which a fork gets copies."""
    with open('/proc/self/maps', 'rb') as file:
        for line in file:
            span, permissions, _ = line.split(b' ', 2)
            if permissions == b'rw-p':
                start, end = (int(address, 16) // PAGE for address in span.split(b'-'))
                yield start, end - start


def count_of_faults():
    """How many pages this process had to be given, of the server's or new ones."""
    with open('/proc/self/stat', 'rb') as file:
        return int(file.read().rpartition(b')')[2].split()[7])
