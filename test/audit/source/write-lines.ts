// Runs as a child: write-lines PATH. Appends numbered lines as a daemon does, reopens its file on SIGHUP, and prints
// the number of written lines on SIGTERM.
import { closeSync, openSync, writeSync } from 'node:fs'

const path = process.argv[2]!
let fd = openSync(path, 'a')
let reopen = false
process.on('SIGHUP', () => {
  reopen = true
})
let ended = false
process.on('SIGTERM', () => {
  ended = true
})
let count = 0

function writeSome() {
  if (reopen) {
    closeSync(fd)
    fd = openSync(path, 'a')
    reopen = false
  }
  for (let i = 0; i < 50; i++) writeSync(fd, `type=AVC msg=audit(1.000:${count++}): ${'x'.repeat(count % 1_500)}\n`)
  if (!ended) setTimeout(writeSome, 1)
  else console.log(count)
}

writeSome()
