// Sequelize: bind parameters, RETURNING of every column, managed transactions and savepoints.
const { Sequelize, DataTypes } = require('sequelize');

function connect(login) {
  const { PGHOST, PGPORT, PGDATABASE } = process.env;
  return new Sequelize(PGDATABASE, login, `${login}-demo`, { host: PGHOST, port: Number(PGPORT), dialect: 'postgres', logging: false });
}

function models(sequelize) {
  const { STRING, INTEGER, UUID, TEXT, JSONB, DATEONLY, DATE, BOOLEAN, DECIMAL, SMALLINT, ARRAY } = DataTypes;
  const plain = { timestamps: false };
  const id = { type: INTEGER, primaryKey: true, autoIncrement: true };
  return {
    Customer: sequelize.define('customer', {
      id, external_id: UUID, name: STRING, owner_id: INTEGER, team_id: INTEGER, level: STRING, country: STRING, city: STRING,
      phone: STRING, email: STRING, tax_id: STRING, tags: ARRAY(TEXT), profile: JSONB, founded_on: DATEONLY, created_at: DATE,
    }, { ...plain, tableName: 'customers' }),
    Contact: sequelize.define('contact', {
      id, customer_id: INTEGER, name: STRING, title: STRING, phone: STRING, email: STRING, birthday: DATEONLY, is_primary: BOOLEAN,
      languages: ARRAY(TEXT), preferences: JSONB, created_at: DATE,
    }, { ...plain, tableName: 'contacts' }),
    Opportunity: sequelize.define('opportunity', {
      id, customer_id: INTEGER, owner_id: INTEGER, team_id: INTEGER, title: STRING, stage: STRING, amount: DECIMAL(12, 2),
      probability: SMALLINT, expected_on: DATEONLY, created_at: DATE, updated_at: DATE,
    }, { ...plain, tableName: 'opportunities' }),
  };
}

const code = action => action.then(() => 'went through', error => (error.original || error).code);

async function main() {
  const rep = connect('alice');
  const { Customer, Contact } = models(rep);
  const mine = await Customer.findOne({ where: { owner_id: 36 }, order: ['id'] });
  const born = await Contact.findOne({ where: { customer_id: mine.id, birthday: { [Sequelize.Op.ne]: null } }, order: ['id'] });
  const contact = await Contact.create({ customer_id: mine.id, name: 'Nora New', phone: '+49 30 123', email: 'nora@example.com', is_primary: false, created_at: new Date() });
  console.log('created', (await contact.reload()).phone);
  await contact.update({ title: 'CTO' });
  console.log('changed', (await contact.reload()).title);
  console.log('masked', born.birthday.slice(5), mine.tax_id);
  const all = row => { const { id, ...rest } = row.get({ plain: true }); return rest; };
  const saved = [
    (await Contact.update({ ...all(born), title: 'Head' }, { where: { id: born.id } }))[0],
    (await Customer.update({ ...all(mine), city: 'Ulm' }, { where: { id: mine.id } }))[0],
  ];
  console.log('saved', ...saved, (await born.reload()).title, (await mine.reload()).city);
  console.log('mask changed', await code(born.update({ birthday: '1980-05-05' })));
  const { tags, profile, created_at, ...old } = mine.get({ plain: true });
  const optimistic = [];
  for (const city of ['Bonn', 'Koln']) optimistic.push((await Customer.update({ city }, { where: old }))[0]);
  console.log('optimistic', ...optimistic);
  await rep.transaction(async transaction => {
    await contact.update({ title: 'CEO' }, { transaction });
    const inner = rep.transaction({ transaction }, t => mine.update({ owner_id: 1 }, { transaction: t }));
    console.log('given away', await code(inner));
    await contact.update({ name: 'Nora Newer' }, { transaction });
  });
  console.log('committed', (await contact.reload()).name);
  console.log('others', (await Customer.update({ city: 'Nowhere' }, { where: { owner_id: { [Sequelize.Op.ne]: 36 } } }))[0]);
  console.log('delete', await code(contact.destroy()));
  const bulk = await Contact.bulkCreate([0, 1, 2].map(i => ({ customer_id: mine.id, name: `Bulk ${i}`, is_primary: false, created_at: new Date() })));
  console.log('bulk', bulk.filter(b => b.id).length);

  const manager = connect('yun');
  const { Opportunity } = models(manager);
  const now = new Date();
  const deal = await Opportunity.create({ customer_id: mine.id, owner_id: 15, team_id: 14, title: 'Deal', stage: 'lead', amount: 12.5, probability: 10, expected_on: '2026-01-01', created_at: now, updated_at: now });
  await deal.destroy();
  console.log('deleted', await Opportunity.count({ where: { title: 'Deal' } }));
  await rep.close();
  await manager.close();
}

main().catch(error => { console.error(error); process.exit(1); });
