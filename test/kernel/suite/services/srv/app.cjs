// A small application that uses files, uploads, threads and compression, and sends requests itself.
const crypto = require('node:crypto')
const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const zlib = require('node:zlib')
const { Worker, isMainThread, parentPort } = require('node:worker_threads')

const folder = '/var/lib/app'
const logPath = '/var/log/app.log'

if (!isMainThread) {
  parentPort.postMessage(
    crypto.createHash('sha256').update(fs.readFileSync('/usr/share/common-licenses/GPL-2')).digest('hex'),
  )
} else {
  fs.mkdirSync(folder, { recursive: true })
  let log = fs.createWriteStream(logPath, { flags: 'a' })
  process.on('SIGHUP', () => {
    log.end()
    fs.renameSync(logPath, `${logPath}.1`)
    log = fs.createWriteStream(logPath, { flags: 'a' })
  })

  const routes = {
    '/file': (_request, response) =>
      fs.createReadStream('/usr/share/common-licenses/GPL-3').pipe(zlib.createGzip()).pipe(response),
    '/upload': (request, response) => {
      const name = path.join('/tmp', `upload-${crypto.randomUUID()}`)
      request.pipe(fs.createWriteStream(name)).on('finish', () => {
        fs.renameSync(name, path.join(folder, 'last'))
        fs.rmSync(name, { force: true })
        response.end('taken')
      })
    },
    '/worker': (_request, response) => new Worker(__filename).on('message', (hash) => response.end(hash)),
    '/key': (_request, response) =>
      crypto.pbkdf2('password', crypto.randomBytes(16), 100, 32, 'sha512', (_error, key) =>
        response.end(key.toString('hex')),
      ),
    '/list': (_request, response) => response.end(fs.readdirSync('/usr/share/common-licenses').join('\n')),
    '/own': (_request, response) =>
      http
        .get('http://127.0.0.1:8000/list', (answer) => answer.pipe(response))
        .on('error', (error) => {
          response.statusCode = 500
          response.end(error.message)
        }),
  }
  const server = http.createServer((request, response) => {
    log.write(`${new Date().toISOString()} ${request.method} ${request.url}\n`)
    const route = routes[request.url]
    if (route === undefined) response.statusCode = 404
    if (route === undefined) response.end()
    else route(request, response)
  })
  server.listen(8000, '0.0.0.0')
  process.on('SIGTERM', () => {
    server.closeAllConnections()
    server.close(() => process.exit(0))
  })
}
