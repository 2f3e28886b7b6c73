import { expect } from 'chai'
import type { Json } from './api.ts'
import { configMap, deployment, pod } from './samples.ts'
import { useKind, useScope } from './scope.ts'
import type { Target } from './target.ts'
import type { WatchStream } from './watch-stream.ts'

const asTable = { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' } }
const headings = ({ columnDefinitions }: Json): string[] => columnDefinitions.map(({ name }: Json) => name)
/** Columns of the default view. */
const main = ({ columnDefinitions }: Json): string[] =>
  columnDefinitions.filter(({ priority }: Json) => priority === 0).map(({ name }: Json) => name)

/** The output of kubectl, whose rows the server makes. */
export function tables(target: Target): void {
  describe('tables', () => {
    const scope = useScope(target)
    const group = 'tables.varmor.test'
    const column = (name: string, type: string, jsonPath: string, rest: Json = {}): Json => ({
      name,
      type,
      jsonPath,
      ...rest,
    })
    useKind(scope, {
      kind: 'Printed',
      plural: 'printeds',
      group,
      version: {
        additionalPrinterColumns: [
          column('Text', 'string', '.spec.text', { description: 'a text' }),
          column('Number', 'integer', '.spec.number', { format: 'int32' }),
          column('Ready', 'boolean', '.spec.ready'),
          column('List', 'string', '.spec.list'),
          column('First', 'string', '.spec.list[0]'),
          column('Wide', 'string', '.spec.wide', { priority: 1 }),
          column('Age', 'date', '.metadata.creationTimestamp'),
        ],
      },
      schema: {
        type: 'object',
        properties: { spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    })
    useKind(scope, { kind: 'Plain', plural: 'plains', group, schema: { type: 'object' } })
    const printed = (name: string, spec: Json): Promise<Json> =>
      scope.api.create(scope.group(`${group}/v1`, 'printeds'), {
        apiVersion: `${group}/v1`,
        kind: 'Printed',
        metadata: { name },
        spec,
      })
    const table = async (path: string): Promise<Json> => {
      const reply = await scope.api.get(path, asTable)
      expect(reply.status, reply.text).to.equal(200)
      expect(reply.headers['content-type']).to.equal('application/json')
      expect(reply.body).to.include({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' })
      return reply.body
    }

    before(async () => {
      await scope.api.create(scope.core('configmaps'), configMap('map', { a: '1', b: '2' }))
      await scope.accountReady()
      await scope.api.create(scope.core('pods'), pod('pod'))
      await scope.api.create(scope.group('apps/v1', 'deployments'), deployment('web', 0))
      await printed('full', { text: 'a', number: 3, ready: true, list: ['x', 'y'], wide: 'w' })
      await printed('bare', {})
      await scope.api.create(scope.group(`${group}/v1`, 'plains'), {
        apiVersion: `${group}/v1`,
        kind: 'Plain',
        metadata: { name: 'plain' },
      })
    })

    it('a list of config maps', async () => {
      const body = await table(`${scope.core('configmaps')}?fieldSelector=metadata.name%3Dmap`)
      expect(
        body.columnDefinitions.map(({ name, type, format, priority }: Json) => [name, type, format, priority]),
      ).to.deep.equal([
        ['Name', 'string', 'name', 0],
        ['Data', 'string', '', 0],
        ['Age', 'string', '', 0],
      ])
      const [{ cells, object }] = body.rows
      expect(cells.slice(0, 2)).to.deep.equal(['map', 2])
      expect(cells[2]).to.match(/^\d+s$/)
      expect(object).to.include({ kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' })
      expect(object.metadata.name).to.equal('map')
      expect(body.metadata.resourceVersion).to.match(/^\d+$/)
    })

    it('one object', async () => {
      const body = await table(scope.core('configmaps', 'map'))
      expect(body.rows.map(({ cells }: Json) => cells.slice(0, 2))).to.deep.equal([['map', 2]])
    })

    it('pods', async () => {
      const body = await table(scope.core('pods'))
      expect(main(body)).to.deep.equal(['Name', 'Ready', 'Status', 'Restarts', 'Age'])
      expect(headings(body)).to.deep.equal([
        'Name',
        'Ready',
        'Status',
        'Restarts',
        'Age',
        'IP',
        'Node',
        'Nominated Node',
        'Readiness Gates',
      ])
      const { cells } = body.rows.find((row: Json) => row.object.metadata.name === 'pod')
      expect(cells.slice(0, 4)).to.deep.equal(['pod', '0/1', 'Pending', '0'])
      expect(cells.slice(5)).to.deep.equal(['<none>', '<none>', '<none>', '<none>'])
    })

    it('deployments', async () => {
      const body = await table(scope.group('apps/v1', 'deployments'))
      expect(main(body)).to.deep.equal(['Name', 'Ready', 'Up-to-date', 'Available', 'Age'])
      expect(headings(body).slice(5)).to.deep.equal(['Containers', 'Images', 'Selector'])
      const { cells } = body.rows[0]
      expect(cells.slice(0, 4)).to.deep.equal(['web', '0/0', 0, 0])
      expect(cells.slice(5)).to.deep.equal(['main', 'docker.io/varmor/busybox:1', 'app=web'])
    })

    it('custom objects, by the columns of their definition', async () => {
      const body = await table(scope.group(`${group}/v1`, 'printeds'))
      expect(
        body.columnDefinitions.map(({ name, type, format, priority }: Json) => [name, type, format, priority]),
      ).to.deep.equal([
        ['Name', 'string', 'name', 0],
        ['Text', 'string', '', 0],
        ['Number', 'integer', 'int32', 0],
        ['Ready', 'boolean', '', 0],
        ['List', 'string', '', 0],
        ['First', 'string', '', 0],
        ['Wide', 'string', '', 1],
        ['Age', 'date', '', 0],
      ])
      expect(body.columnDefinitions[1].description).to.equal('a text')
      const [bare, full] = body.rows
      expect(full.cells.slice(0, 7)).to.deep.equal(['full', 'a', 3, true, '["x","y"]', 'x', 'w'])
      expect(bare.cells.slice(0, 7)).to.deep.equal(['bare', null, null, null, null, null, null])
      expect(full.cells[7]).to.match(/^\d+s$/)
    })

    it('custom objects without columns: name and age', async () => {
      const body = await table(scope.group(`${group}/v1`, 'plains'))
      expect(headings(body)).to.deep.equal(['Name', 'Age'])
    })

    it('rows may have the whole object, or none', async () => {
      const path = scope.core('configmaps', 'map')
      expect((await table(`${path}?includeObject=Object`)).rows[0].object.data).to.deep.equal({ a: '1', b: '2' })
      expect((await table(`${path}?includeObject=None`)).rows[0].object).to.equal(null)
    })

    it('a watch gives tables of one row, with headings in the first alone', async () => {
      const path = `${scope.group('coordination.k8s.io/v1', 'leases')}?watch=true`
      const stream: WatchStream = await scope.api.watch(path, asTable)
      try {
        for (const name of ['a', 'b'])
          await scope.api.create(scope.group('coordination.k8s.io/v1', 'leases'), { metadata: { name } })
        const [first, second] = await stream.take(2)
        expect(first!.object).to.include({ kind: 'Table' })
        expect(headings(first!.object)).to.deep.equal(['Name', 'Holder', 'Age'])
        expect(first!.object.rows).to.have.length(1)
        expect(second!.object.columnDefinitions ?? []).to.deep.equal([])
        expect(second!.object.rows[0].cells[0]).to.equal('b')
      } finally {
        stream.close()
      }
    })
  })
}
