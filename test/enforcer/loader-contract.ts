import { expect } from 'chai'
import type { EnforcerError } from '../../src/enforcer/enforcer-error.ts'
import { contentDigest, type ProfileLoader } from '../../src/enforcer/ports.ts'

/** A loader, and changes that a test makes without the loader. */
export interface LoaderUnderTest {
  loader: ProfileLoader
  /** A valid content for the profile, a different one for each number. */
  content(name: string, number: number): string
  /** Makes the node lose the profile. */
  lose(name: string): void
  /** Changes the loaded profile, as another program would. */
  damage(name: string): void
  /** The profile's content in force. */
  inForce(name: string): string | undefined
}

/** Tests the promises of every ProfileLoader, fake or real. */
export function loaderContract(make: () => LoaderUnderTest | Promise<LoaderUnderTest>): void {
  let test: LoaderUnderTest
  const name = 'varmor-demo-web'
  const digest = (number: number): string => contentDigest(test.content(name, number))
  const listed = async (): Promise<[string, string][]> => [...(await test.loader.list())].sort()

  beforeEach(async () => {
    test = await make()
  })

  it('holds nothing at first', async () => {
    expect(await listed()).to.deep.equal([])
  })

  it('loads, and lists what is loaded with its digest', async () => {
    await test.loader.load(name, test.content(name, 1))
    expect(await listed()).to.deep.equal([[name, digest(1)]])
    expect(test.inForce(name)).to.equal(test.content(name, 1))
  })

  it('replaces, and takes the same content twice', async () => {
    for (const number of [1, 2, 2, 1]) {
      await test.loader.load(name, test.content(name, number))
      expect(await listed()).to.deep.equal([[name, digest(number)]])
      expect(test.inForce(name)).to.equal(test.content(name, number))
    }
  })

  it('keeps profiles apart, loaded together', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `varmor-demo-p${i}`)
    await Promise.all(names.map((one, i) => test.loader.load(one, test.content(one, i))))
    await test.loader.unload('varmor-demo-p7')
    expect((await listed()).map(([one]) => one)).to.deep.equal(names.filter((one) => !one.endsWith('p7')).sort())
    for (const [i, one] of names.entries()) if (i !== 7) expect(test.inForce(one)).to.equal(test.content(one, i))
  })

  it('unloads, also what is not there', async () => {
    await test.loader.load(name, test.content(name, 1))
    await test.loader.unload(name)
    await test.loader.unload(name)
    expect(await listed()).to.deep.equal([])
    expect(test.inForce(name)).to.equal(undefined)
  })

  it('frees: what allows all is there under the name, and the profile can come back', async () => {
    await test.loader.load(name, test.content(name, 1))
    const freed = await test.loader.free(name)
    expect(await listed()).to.deep.equal([[name, freed]])
    expect(freed).to.not.equal(digest(1))
    expect(test.inForce(name)).to.match(/SCMP_ACT_ALLOW|file,/)
    expect(await test.loader.free(name)).to.equal(freed)
    await test.loader.load(name, test.content(name, 1))
    expect(await listed()).to.deep.equal([[name, digest(1)]])
  })

  it('shows a lost profile as not intact, and puts it back', async () => {
    await test.loader.load(name, test.content(name, 1))
    test.lose(name)
    expect((await test.loader.list()).get(name) ?? '').to.equal('')
    await test.loader.load(name, test.content(name, 1))
    expect(await listed()).to.deep.equal([[name, digest(1)]])
    expect(test.inForce(name)).to.equal(test.content(name, 1))
  })

  it('shows a changed profile as not intact, and puts it back', async () => {
    await test.loader.load(name, test.content(name, 1))
    test.damage(name)
    expect((await test.loader.list()).get(name)).to.not.equal(digest(1))
    await test.loader.load(name, test.content(name, 1))
    expect(test.inForce(name)).to.equal(test.content(name, 1))
    expect(await listed()).to.deep.equal([[name, digest(1)]])
  })

  for (const bad of [
    '',
    '.',
    '..',
    'web',
    'varmor-',
    'varmor-../x',
    'varmor-a/b',
    'varmor-A',
    `varmor-${'x'.repeat(60)}`,
    'varmor-a\n',
  ])
    it(`refuses the name ${JSON.stringify(bad).slice(0, 40)}`, async () => {
      for (const call of [() => test.loader.load(bad, test.content(name, 1)), () => test.loader.unload(bad)]) {
        const error = await call().then(
          () => undefined,
          (thrown: EnforcerError) => thrown,
        )
        expect(error).to.include({ name: 'EnforcerError', code: 'BAD_NAME', retryable: false })
      }
      expect(await listed()).to.deep.equal([])
    })
}

/** The error of a call. */
export async function thrownBy(call: Promise<unknown>): Promise<EnforcerError> {
  try {
    await call
  } catch (error) {
    return error as EnforcerError
  }
  throw new Error('nothing was thrown')
}
