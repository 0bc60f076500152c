// node-postgres: simple and extended protocol, named statements, a cancel from a second connection.
const net = require('net');
const { Client, types } = require('pg');

async function main() {
  const client = new Client();
  await client.connect();
  const one = async (text, values) => Object.values((await client.query(text, values)).rows[0])[0];

  console.log('customers', await one('SELECT count(*) FROM customers'));
  // 36 is alice: phones of others' customers are masked
  const { rows } = await client.query('SELECT phone FROM customers WHERE owner_id <> $1 AND name LIKE $2', [36, '%']);
  console.log('masked', rows.length > 0 && rows.every(row => row.phone.includes('*')));
  console.log('list', Number(await one('SELECT count(*) FROM customers WHERE id = ANY($1)', [[1, 2]])) >= 0);
  console.log('quotes', await one('SELECT $1::text', ["it's a \\ 'quote'"]));
  console.log('catalogue', Number(await one("SELECT count(*) FROM information_schema.columns WHERE table_name = $1", ['customers'])) > 5);
  console.log('columns', (await client.query('SELECT id, name FROM customers')).fields.map(field => field.name).join(' '));
  for (let i = 0; i < 7; i++) await client.query({ name: 'n', text: 'SELECT count(*) FROM customers WHERE id > $1', values: [i] });
  console.log('named', await one({ name: 'n', text: 'SELECT count(*) FROM customers WHERE id > $1', values: [0] }));
  await client.query('BEGIN');
  await client.query('DECLARE streamed CURSOR FOR SELECT id FROM customers ORDER BY id');
  let streamed = 0;
  for (;;) {
    const part = (await client.query('FETCH 2 FROM streamed')).rows.length;
    if (part === 0) break;
    streamed += part;
  }
  console.log('streamed', streamed);
  await client.query('COMMIT');
  console.log('hidden', await client.query('SELECT credit_limit FROM customers').catch(error => error.code));
  console.log('export', await client.query('COPY customers TO STDOUT').catch(error => error.code));
  console.log('write refused', ['0A000', '42501'].includes(await client.query('DELETE FROM customers').catch(error => error.code)));

  const key = { pid: client.processID, secret: client.secretKey };
  setTimeout(() => {
    const request = Buffer.alloc(16);
    [16, 80877102, key.pid, key.secret].forEach((word, at) => request.writeInt32BE(word | 0, at * 4));
    net.connect(Number(process.env.PGPORT), process.env.PGHOST, function () { this.end(request); });
  }, 500);
  console.log('cancelled', await client.query('SELECT count(*) FROM generate_series(1, 4000000000)').catch(error => error.code));
  console.log('usable', await one('SELECT 1'));
  await client.end();
}

main().catch(error => { console.error(error); process.exit(1); });
