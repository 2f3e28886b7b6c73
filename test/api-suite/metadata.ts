import { expect } from 'chai'
import type { Json } from './api.ts'
import { expectFailure } from './expect-failure.ts'
import { configMap, deployment } from './samples.ts'
import { useScope } from './scope.ts'
import type { Target } from './target.ts'

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const second = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

/** Metadata that the server itself writes, and metadata that it accepts from a client. */
export function metadata(target: Target): void {
  describe('metadata', () => {
    const scope = useScope(target)

    it('an object gets a uid, a time in whole seconds and a resource version', async () => {
      const { metadata } = await scope.api.create(scope.core('configmaps'), configMap('new'))
      expect(metadata).to.include({ name: 'new', namespace: scope.namespace })
      expect(metadata.uid).to.match(uuid)
      expect(metadata.creationTimestamp).to.match(second)
      expect(metadata.resourceVersion).to.match(/^[1-9]\d*$/)
      expect(metadata).not.to.have.any.keys('selfLink', 'generation', 'deletionTimestamp')
    })

    it('a uid and a time of the client are ignored', async () => {
      const given = {
        uid: '00000000-0000-4000-8000-000000000000',
        creationTimestamp: '2001-01-01T00:00:00Z',
        selfLink: '/x',
      }
      const { metadata } = await scope.api.create(scope.core('configmaps'), configMap('given', {}, given))
      expect(metadata.uid).not.to.equal(given.uid)
      expect(metadata.creationTimestamp).not.to.equal(given.creationTimestamp)
      expect(metadata).not.to.have.property('selfLink')
    })

    it('a resource version at creation is refused', async () => {
      const body = configMap('versioned', {}, { resourceVersion: '1' })
      expectFailure(await scope.api.post(scope.core('configmaps'), body), {
        code: 500,
        message: 'resourceVersion should not be set on objects to be created',
      })
    })

    it('generateName adds five letters or digits', async () => {
      const path = scope.core('configmaps')
      const create = async (): Promise<Json> =>
        (await scope.api.create(path, { metadata: { generateName: 'made-' } })).metadata
      const [one, two] = [await create(), await create()]
      expect(one).to.include({ generateName: 'made-' })
      expect(one.name).to.match(/^made-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
      expect(two.name).not.to.equal(one.name)
    })

    it('generateName is cut so that the name fits into 63 bytes', async () => {
      const { metadata } = await scope.api.create(scope.core('configmaps'), {
        metadata: { generateName: 'a'.repeat(80) },
      })
      expect(metadata.name).to.match(/^a{58}[bcdfghjklmnpqrstvwxz2456789]{5}$/)
    })

    it('an object needs a name', async () => {
      expectFailure(await scope.api.post(scope.core('configmaps'), { metadata: {} }), {
        code: 422,
        reason: 'Invalid',
        message: 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
        details: {
          kind: 'ConfigMap',
          causes: [
            {
              reason: 'FieldValueRequired',
              message: 'Required value: name or generateName is required',
              field: 'metadata.name',
            },
          ],
        },
      })
    })

    it('a name has to be one of DNS', async () => {
      const reply = await scope.api.post(scope.core('configmaps'), configMap('Upper_Case'))
      const rule =
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
      const message = `Invalid value: "Upper_Case": ${rule}`
      expectFailure(reply, {
        code: 422,
        reason: 'Invalid',
        message: `ConfigMap "Upper_Case" is invalid: metadata.name: ${message}`,
        details: {
          name: 'Upper_Case',
          kind: 'ConfigMap',
          causes: [{ reason: 'FieldValueInvalid', message, field: 'metadata.name' }],
        },
      })
    })

    it('a label has to be one', async () => {
      const reply = await scope.api.post(scope.core('configmaps'), configMap('label', {}, { labels: { a: 'not so!' } }))
      expectFailure(reply, {
        code: 422,
        reason: 'Invalid',
        message:
          "ConfigMap \"label\" is invalid: metadata.labels: Invalid value: \"not so!\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
      })
    })

    it('the generation counts changes of the spec alone', async () => {
      const path = scope.group('apps/v1', 'deployments')
      const one = `${path}/counted`
      // The workload is paused, so that no controller changes it.
      const body = deployment('counted', 0)
      body.spec.paused = true
      expect((await scope.api.create(path, body)).metadata.generation).to.equal(1)
      const labelled = await scope.api.patch('merge', one, { metadata: { labels: { a: 'b' } } })
      expect(labelled.body.metadata.generation).to.equal(1)
      const status = await scope.api.patch('merge', `${one}/status`, { status: { observedGeneration: 1 } })
      expect(status.body.metadata.generation).to.equal(1)
      const scaled = await scope.api.patch('merge', one, { spec: { minReadySeconds: 1 } })
      expect(scaled.body.metadata.generation).to.equal(2)
    })

    it('every change gives a new and greater resource version', async () => {
      const path = scope.core('configmaps')
      const versions = [(await scope.api.create(path, configMap('changing'))).metadata.resourceVersion]
      for (const a of ['1', '2', '3']) {
        const { body } = await scope.api.patch('merge', `${path}/changing`, { data: { a } })
        versions.push(body.metadata.resourceVersion)
      }
      const numbers = versions.map(BigInt)
      for (let i = 1; i < numbers.length; i++) expect(numbers[i]! > numbers[i - 1]!, versions.join()).to.equal(true)
    })

    it('a change that changes nothing keeps the resource version', async () => {
      const path = scope.core('configmaps')
      const created = await scope.api.create(path, configMap('same', { a: '1' }))
      const patched = await scope.api.patch('merge', `${path}/same`, { data: { a: '1' } })
      expect(patched.status).to.equal(200)
      expect(patched.body.metadata.resourceVersion).to.equal(created.metadata.resourceVersion)
      const replaced = await scope.api.put(`${path}/same`, created)
      expect(replaced.body.metadata.resourceVersion).to.equal(created.metadata.resourceVersion)
    })

    it('an update with an old resource version is a conflict', async () => {
      const path = scope.core('configmaps')
      const old = await scope.api.create(path, configMap('raced'))
      await scope.api.patch('merge', `${path}/raced`, { data: { a: 'theirs' } })
      const message =
        'Operation cannot be fulfilled on configmaps "raced": the object has been modified; please apply your changes to the latest version and try again'
      const details = { name: 'raced', kind: 'configmaps' }
      const conflict = { code: 409, reason: 'Conflict', message, details }
      expectFailure(await scope.api.put(`${path}/raced`, { ...old, data: { a: 'mine' } }), conflict)
      const { resourceVersion } = old.metadata
      expectFailure(
        await scope.api.patch('merge', `${path}/raced`, { metadata: { resourceVersion }, data: {} }),
        conflict,
      )
    })

    it('an update without one wins', async () => {
      const path = scope.core('configmaps')
      await scope.api.create(path, configMap('unguarded', { a: '1' }))
      const reply = await scope.api.put(`${path}/unguarded`, configMap('unguarded', { a: '2' }))
      expect(reply.status, reply.text).to.equal(200)
      expect(reply.body.data).to.deep.equal({ a: '2' })
    })

    it('an update with another uid is a conflict', async () => {
      const path = scope.core('configmaps')
      const { metadata } = await scope.api.create(path, configMap('other'))
      const uid = '00000000-0000-4000-8000-000000000000'
      const body = configMap('other', {}, { uid })
      expectFailure(await scope.api.put(`${path}/other`, body), {
        code: 409,
        reason: 'Conflict',
        message: new RegExp(
          `^Operation cannot be fulfilled on configmaps "other": .*Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}$`,
        ),
      })
    })

    for (const [what, preconditions, problem] of [
      [
        'uid',
        { uid: '00000000-0000-4000-8000-000000000000' },
        /the UID in the precondition \(00000000-0000-4000-8000-000000000000\) does not match the UID in record \([0-9a-f-]{36}\)\. The object might have been deleted and then recreated$/,
      ],
      [
        'resource version',
        { resourceVersion: '1' },
        /the ResourceVersion in the precondition \(1\) does not match the ResourceVersion in record \(\d+\)\. The object might have been modified$/,
      ],
    ] as const) {
      it(`a deletion with another ${what} as precondition is a conflict`, async () => {
        const path = scope.core('configmaps')
        const name = `kept-${what.replace(' ', '-')}`
        await scope.api.create(path, configMap(name))
        const reply = await scope.api.delete(`${path}/${name}`, { preconditions })
        expectFailure(reply, { code: 409, reason: 'Conflict', message: problem })
        expect(reply.body.message).to.match(new RegExp(`^Operation cannot be fulfilled on ConfigMap "${name}": `))
        expect((await scope.api.get(`${path}/${name}`)).status).to.equal(200)
      })
    }
  })
}
