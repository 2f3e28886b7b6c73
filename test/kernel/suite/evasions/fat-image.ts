import { writeFileSync } from 'node:fs'

const SECTOR = 512
const SECTORS = 128

/**
 * Writes an image of a FAT12 file system whose root has these files. Each file has one sector and a name of up to eight
 * capital letters. Layout: a boot sector, one sector of table, one of root directory, then the data (fatgen103,
 * Microsoft).
 */
export function makeFat(path: string, files: Record<string, string>): void {
  const image = Buffer.alloc(SECTORS * SECTOR)
  image.set([0xeb, 0x3c, 0x90])
  image.write('MSDOS5.0', 3)
  image.writeUInt16LE(SECTOR, 11)
  image[13] = 1 // sectors per cluster
  image.writeUInt16LE(1, 14) // sectors before the table
  image[16] = 1 // tables
  image.writeUInt16LE(SECTOR / 32, 17) // entries of the root
  image.writeUInt16LE(SECTORS, 19)
  image[21] = 0xf8 // a hard disk
  image.writeUInt16LE(1, 22) // sectors of the table
  image[38] = 0x29
  image.write('NO NAME    FAT12   ', 43)
  image.writeUInt16LE(0xaa55, 510)
  image.set([0xf8, 0xff, 0xff], SECTOR)
  for (const [i, [name, text]] of Object.entries(files).entries()) {
    const cluster = 2 + i
    endCluster(image, cluster)
    const entry = 2 * SECTOR + i * 32
    image.write(name.padEnd(11), entry)
    image[entry + 11] = 0x20
    image.writeUInt16LE(cluster, entry + 26)
    image.writeUInt32LE(text.length, entry + 28)
    image.write(text, (3 + i) * SECTOR)
  }
  writeFileSync(path, image)
}

/** Marks a cluster as the last of its file; table entries have twelve bits. */
function endCluster(image: Buffer, cluster: number): void {
  const at = SECTOR + Math.floor((cluster * 3) / 2)
  const value = image.readUInt16LE(at)
  image.writeUInt16LE(cluster % 2 === 0 ? value | 0x0fff : value | 0xfff0, at)
}
