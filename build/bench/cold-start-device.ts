/**
 * A block device with an image that can be made cold, without a word to the rest of the machine.
 *
 * The image is a loop device's, with direct I/O: what the image's file system has not cached comes
 * from the disk, or from a {@link BlockStore}, each time.
 *
 * @module
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

import { run } from "./cold-start-store.ts";

const SECTOR_BYTES = 512;
const UNMOUNT_MS_MAX = 10_000;
const UNMOUNT_RETRY_MS = 10;

/** An image on a loop device, mounted. */
export class ColdDevice {
  /** Where the image is mounted, with /proc, /dev, /sys and /tmp in it. */
  readonly root: string;
  readonly #device: string;
  #mounted = false;

  private constructor(root: string, device: string) {
    this.root = root;
    this.#device = device;
  }

  /**
   * Attaches an image.
   * @param folder An own, existing folder.
   */
  static async attach(image: string, folder: string): Promise<ColdDevice> {
    const root = join(folder, "root");
    mkdirSync(root, { recursive: true });
    const words = ["losetup", "--find", "--show", "--read-only", "--direct-io=on", image];
    return new ColdDevice(root, (await run(words)).trim());
  }

  /**
   * Mounts the image with nothing of it cached.
   * @param readAheadKib How far the kernel reads ahead, in KiB.
   */
  async mountCold(readAheadKib: number): Promise<void> {
    await this.unmount();
    await run(["blockdev", "--flushbufs", this.#device]);
    writeFileSync(this.#setting("queue/read_ahead_kb"), String(readAheadKib));
    await run(["mount", "-t", "ext4", "-o", "ro", this.#device, this.root]);
    this.#mounted = true;
    await run(["mount", "-t", "proc", "proc", join(this.root, "proc")]);
    await run(["mount", "-t", "tmpfs", "tmpfs", join(this.root, "tmp")]);
    await run(["mount", "--bind", "/dev", join(this.root, "dev")]);
    await run(["mount", "--bind", "/sys", join(this.root, "sys")]);
  }

  /** Bytes that were read from the device since it was attached. */
  bytesRead(): number {
    const [, , sectors = 0] = readFileSync(this.#setting("stat"), "utf8")
      .trim()
      .split(/\s+/)
      .map(Number);
    return sectors * SECTOR_BYTES;
  }

  /** Unmounts the image. */
  async unmount(): Promise<void> {
    if (!this.#mounted) return;
    // A killed runtime's shell needs a moment to see it, and holds files until then.
    const giveUpMs = performance.now() + UNMOUNT_MS_MAX;
    while (Bun.spawnSync(["umount", "--recursive", this.root]).exitCode !== 0) {
      if (performance.now() > giveUpMs) throw new Error(`failed to unmount ${this.root}: in use`);
      await Bun.sleep(UNMOUNT_RETRY_MS);
    }
    this.#mounted = false;
  }

  /** Unmounts and detaches the image. */
  async detach(): Promise<void> {
    await this.unmount();
    await run(["losetup", "--detach", this.#device]);
  }

  #setting(name: string): string {
    return `/sys/block/${basename(this.#device)}/${name}`;
  }
}
