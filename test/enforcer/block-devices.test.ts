import { expect } from 'chai'
import { blockDevicesIn, nodeBlockDevices } from '../../src/enforcer/block-devices.ts'
import { nodeRoot } from '../../src/enforcer/node-root.ts'

describe('the block devices of a node', () => {
  it('are those of /proc/partitions', () => {
    const text = `major minor  #blocks  name

   8        0  488386584 sda
   8        1    1048576 sda1
 259        0  250059096 nvme0n1
 104        0   35561280 cciss/c0d0
 104        1   35561280 cciss!c0d1
 252        0    8388608 odd-disk:1
`
    expect(blockDevicesIn(text)).to.deep.equal([
      '/dev/cciss/c0d0',
      '/dev/cciss/c0d1',
      '/dev/nvme0n1',
      '/dev/odd-disk:1',
      '/dev/sda',
      '/dev/sda1',
    ])
  })

  it('are no other text, and not more than a node can have', () => {
    expect(blockDevicesIn('')).to.deep.equal([])
    expect(blockDevicesIn('8 0 1 a b\n8 0 1 *\n8 0 1 ..\nx 0 1 sda\n8 0 1')).to.deep.equal([])
    const many = Array.from({ length: 5_000 }, (_, i) => `8 ${i} 1 d${i}`).join('\n')
    expect(blockDevicesIn(many)).to.have.length(1_024)
  })

  it('are read where there are any', () => {
    expect(nodeBlockDevices({ read: () => undefined })).to.deep.equal([])
    for (const device of nodeBlockDevices(nodeRoot())) expect(device).to.match(/^\/dev\/\w/)
  })
})
