/**
 * What a function finds on Lambda: the programs of `provided.al2023`, and its files where they lie there.
 *
 * The runtime is Amazon Linux 2023's minimal container image with little taken away: bash, coreutils, curl,
 * gawk, grep, sed, the programs of glibc, and no package manager's worth besides.
 *
 * @see https://docs.aws.amazon.com/linux/al2023/ug/minimal-container.html
 * @module
 */

import { join } from "node:path";

import { startOfFile } from "../commands/function/handler.ts";
import { statOf } from "../file-facts.ts";
import type { Files } from "../handler/resolve.ts";
import { LAMBDA_PATH } from "../host/sandbox/variables.ts";
import { TASK_ROOT } from "./script-reading.ts";

/** Programs that are there, by the packages that bring them. */
const PROGRAMS: ReadonlySet<string> = new Set(
  [
    // bash
    "bash sh alias bashbug bg cd command fc fg getopts hash jobs read type ulimit umask unalias wait",
    // coreutils-single
    "[ arch b2sum base32 base64 basename basenc cat chcon chgrp chmod chown chroot cksum comm cp csplit",
    "cut date dd df dir dircolors dirname du echo env expand expr factor false fmt fold groups head",
    "hostid id install join link ln logname ls md5sum mkdir mkfifo mknod mktemp mv nice nl nohup nproc",
    "numfmt od paste pathchk pinky pr printenv printf ptx pwd readlink realpath rm rmdir runcon seq",
    "sha1sum sha224sum sha256sum sha384sum sha512sum shred shuf sleep sort split stat stdbuf stty sum",
    "sync tac tail tee test timeout touch tr true truncate tsort tty uname unexpand uniq unlink users",
    "vdir wc who whoami yes",
    // curl-minimal, gawk, grep, sed
    "curl awk gawk grep egrep fgrep sed",
    // glibc-common, gnupg2-minimal, ca-certificates, p11-kit, alternatives, rpm
    "catchsegv gencat getconf getent iconv ldd locale localedef pldd sprof tzselect zdump",
    "gpg gpgv ca-legacy update-ca-trust p11-kit trust alternatives rpm",
  ].flatMap((line) => line.split(" ")),
);

/** Programs that scripts often run and that are not there, so that naming one is likely a mistake. */
const ABSENT: ReadonlySet<string> = new Set(
  [
    "find xargs locate tar gzip gunzip zcat zip unzip bzip2 bunzip2 xz unxz zstd lz4 7z cpio ar",
    "ps top pgrep pkill killall free uptime vmstat watch lsof fuser pstree",
    "which file diff cmp patch less more vi vim nano ed tree column rev strings hexdump xxd bc dc",
    "python python2 python3 pip pip3 perl ruby node npm npx php java javac go gcc cc make cmake cargo",
    "ssh scp sftp rsync wget git svn nc ncat netcat telnet dig host nslookup ping traceroute ip ifconfig",
    "netstat ss hostname openssl ftp lftp socat nmap whois sshpass",
    "sudo su mount umount systemctl service crontab at logger dmesg getopt flock uuidgen script setsid",
    "unshare nsenter chpasswd useradd dnf yum apt apt-get apk snap brew",
    "docker podman kubectl helm terraform psql mysql mysqldump pg_dump redis-cli mongo sqlite3 yq",
    "ffmpeg ffprobe convert magick identify gs pdftotext pandoc wkhtmltopdf libreoffice exiftool sox",
    "envsubst gettext parallel zsh dash ksh mksh fish csh tcsh busybox ash expect m4 bison flex",
  ].flatMap((line) => line.split(" ")),
);

/** True for a program that a function is likely to miss on Lambda. */
export function isAbsent(program: string): boolean {
  return ABSENT.has(program);
}

/** True for a program of the system. */
export function isPresent(program: string): boolean {
  return PROGRAMS.has(program);
}

/** Folders of the system's programs; `/bin` is a link to `/usr/bin` there. */
const SYSTEM_PROGRAM = /^(?:\/usr)?\/bin\/([^/]+)$/;

/**
 * What the resolver of handlers finds on Lambda.
 * @param layers Folders that stand in for layers; without any, `/opt` may have anything.
 */
export function lambdaFiles(directory: string, layers: readonly string[]): Files {
  const inLayers = (path: string) => layers.map((layer) => join(layer, path));
  const places = (path: string): readonly string[] => {
    if (path === TASK_ROOT || path.startsWith(`${TASK_ROOT}/`)) {
      return [join(directory, path.slice(TASK_ROOT.length))];
    }
    return path.startsWith("/opt/") ? inLayers(path.slice("/opt".length)) : [path];
  };
  return {
    isFile: (path) => places(path).some((each) => modeOf(each) !== undefined),
    mayExecute: (path) => {
      const [, program] = SYSTEM_PROGRAM.exec(path) ?? [];
      if (program !== undefined) return isPresent(program);
      if (path.startsWith("/opt/") && layers.length === 0) return true;
      const isOwn = path.startsWith(`${directory}/`) || path.startsWith(`${TASK_ROOT}/`);
      if (!isOwn && !path.startsWith("/opt/")) return false;
      return places(path).some((each) => ((modeOf(each) ?? 0) & 0o111) !== 0);
    },
    start: (path) => {
      for (const each of places(path)) {
        const text = startOfFile(each);
        if (text !== undefined) return text;
      }
      return undefined;
    },
    program: (name) => {
      if (name === "") return undefined;
      if (isPresent(name)) return `/usr/bin/${name}`;
      const isBrought = inLayers(`bin/${name}`).some((each) => modeOf(each) !== undefined);
      return isBrought || layers.length === 0 ? `/opt/bin/${name}` : undefined;
    },
    searchPath: () => LAMBDA_PATH,
  };
}

/** Permission bits of a regular file, at the end of all links; nothing when there is none. */
export function modeOf(path: string): number | undefined {
  const stat = statOf(path);
  return stat?.isFile() === true ? stat.mode & 0o777 : undefined;
}
