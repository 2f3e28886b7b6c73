import { expect } from 'chai'
import { readQuery } from './prom-query.ts'

describe('what a PromQL expression asks for', () => {
  const rows: { query: string; metrics: [name: string, ...labels: string[]][]; groupings?: string[] }[] = [
    { query: 'up', metrics: [['up']] },
    { query: 'a:b:rate5m{x="y"}', metrics: [['a:b:rate5m', 'x']] },
    { query: 'm{a="b", c=~"d|{e}",f!=\'g\'}', metrics: [['m', 'a', 'c', 'f']] },
    { query: 'm{a="x",}', metrics: [['m', 'a']] },
    { query: 'rate(m_total[5m])', metrics: [['m_total']] },
    { query: 'sum by (a, b) (rate(m{i=~"$node"}[$__rate_interval]))', metrics: [['m', 'i']], groupings: ['a', 'b'] },
    { query: 'sum(m) without (c)', metrics: [['m']], groupings: ['c'] },
    {
      query: 'histogram_quantile(0.99, sum by (le) (rate(h_bucket[1h:5m])))',
      metrics: [['h_bucket']],
      groupings: ['le'],
    },
    { query: 'm and on (i) n unless ignoring(j) o', metrics: [['m'], ['n'], ['o']], groupings: ['i', 'j'] },
    { query: 'a * on (x) group_left b', metrics: [['a'], ['b']], groupings: ['x'] },
    { query: 'm offset 5m > bool 1e3 or vector(1)', metrics: [['m']] },
    { query: '(m - time()) / 86400 # days', metrics: [['m']] },
    { query: 'topk(10, m) + Inf', metrics: [['m']] },
    { query: 'label_replace(m, "to", "$1", "from", "(.*)")', metrics: [['m']] },
  ]
  for (const { query, metrics, groupings = [] } of rows)
    it(query, () => {
      const expected = metrics.map(([name, ...labels]) => ({ name, labels }))
      expect(readQuery(query)).to.deep.equal({ metrics: expected, groupings })
    })

  for (const query of [
    'sum(m',
    'm)',
    'm{a}',
    'm{a="b"',
    'm{a=b}',
    'sum by (a b) (m)',
    'm[5m',
    '{a="b"}',
    'm & n',
    'm{"a"="b"}',
  ])
    it(`is refused: ${query}`, () => {
      expect(() => readQuery(query)).to.throw(Error, query)
    })
})
