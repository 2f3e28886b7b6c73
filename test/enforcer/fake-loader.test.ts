import { FakeProfileLoader } from '../fakes/profile-loader.ts'
import { loaderContract } from './loader-contract.ts'

describe('the fake enforcer', () => {
  loaderContract(() => {
    const loader = new FakeProfileLoader('Seccomp')
    return {
      loader,
      content: (name, number) => `${name} ${number}`,
      lose: (name) => loader.texts.delete(name),
      damage: (name) => loader.damaged.add(name),
      inForce: (name) => loader.texts.get(name),
    }
  })
})
