/** Names and goods that the mails are made of. All invented; the domains are reserved ones. */

export const FIRST_NAMES = (
  'Ada Bela Carlo Dana Elif Farid Greta Hana Igor Jonas Kaja Liam Mina Noor Olga Pablo Quinn Rosa Samir Tilda Umar Vera Wanda Xenia Yusuf ' +
  'Zofia Amara Bruno Clara Dmitri Edda Freya Goran Helga Ines Jakob Kofi Lena Marek Nadia'
).split(' ');

export const LAST_NAMES = (
  'Abel Brandt Castro Dietz Eriksen Fontana Gruber Haddad Ivanova Jansen Kovacs Larsen Moreau Novak Okafor Petrov Quist Rossi Schmid Tanaka ' +
  'Ueda Varga Weber Xu Yilmaz Zeller Ashby Bianchi Cohen Duarte'
).split(' ');

export const DOMAINS = ['example.com', 'example.org', 'example.net', 'mail.example', 'post.example'];

/** Name and price in minor units. */
export const GOODS: readonly (readonly [string, number])[] = [
  ['camping stove', 6490],
  ['wool blanket', 8900],
  ['enamel mug', 1450],
  ['three-season tent', 28_900],
  ['hiking boots', 15_900],
  ['rain jacket', 12_950],
  ['head torch', 3999],
  ['thermos flask', 2750],
  ['sleeping bag', 17_400],
  ['folding chair', 4995],
  ['cast-iron pan', 5400],
  ['garden lantern', 3290],
  ['oak bench', 64_900],
  ['hammock', 7250],
  ['pocket knife', 3480],
  ['canvas backpack', 11_900],
  ['fleece jumper', 5999],
  ['cool box', 8450],
  ['fire bowl', 22_500],
  ['kayak paddle', 9900],
  ['picnic basket', 6200],
  ['inflatable canoe', 48_900],
];
