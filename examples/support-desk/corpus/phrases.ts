/**
 * The sentences that the mails are made of. `{order}`, `{sum}`, `{item}` and `{invoice}` are filled in; `{order2}` and `{sum2}` too
 * where a mail is about two orders. The training texts of the local model are others (training.ts), and a test holds them apart.
 */

export const GREETINGS = [
  'Hello,',
  'Hi there,',
  'Dear team,',
  'Good morning,',
  'Dear Sir or Madam,',
  'Hi,',
  'Hey,',
  'To whom it may concern,',
];

export const CLOSINGS = [
  'Many thanks for your help,',
  'Best wishes,',
  'Kind regards,',
  'Cheers,',
  'Looking forward to hearing from you,',
  'Sincerely,',
  'With friendly greetings,',
];

export const ANGRY_OPENERS = [
  'This is the third time that I have to write, and I am losing patience.',
  'I am beyond disappointed with you people.',
  'What kind of shop is this?',
  'Unbelievable. Absolutely unbelievable.',
  'I have been a customer for nine years and have never been treated like this.',
  'Nobody picks up your phone, so here we go again.',
];

export const POLITE_OPENERS = [
  'I hope this message finds you well.',
  'First of all, thank you for the friendly advice last time.',
  'Sorry to trouble you with this.',
  'I am sure you are very busy these days.',
  'I usually love shopping with you.',
];

export const REFUND_REASONS = [
  'The {item} arrived with a crack right through the middle.',
  'The {item} is two sizes too small for me.',
  'My {item} never turned up, three weeks after it was said to be on its way.',
  'The {item} looks nothing like the picture on your page.',
  'The seam of the {item} came apart on the first evening.',
  'My brother has bought me the very same {item} for my birthday.',
  'The parcel with the {item} was soaking wet when I opened it.',
  'You sent a green {item}, and I had asked for the blue one.',
  'I changed my mind about the {item}; it is still in its box.',
];

/** Whole price; the order is named. */
export const REFUND_ASKS = [
  'I have sent {order} back on Monday and would now like to see what I paid for it on my account again.',
  'Would you be so kind as to reimburse me for {order}?',
  'Please take {order} back and return the full price to my card.',
  'I am sending it back, so kindly credit {order} to the card that I used.',
  'I want my cash back for {order}, all of it.',
  'May I ask for a full refund of my purchase {order}?',
  'Refund. {order}. Now.',
  'So let us undo this: I return the goods of {order}, you return the money.',
  'Under the right of withdrawal I step back from {order} and ask you to repay the purchase price.',
  'I expect the complete amount of {order} to be repaid by the end of this week.',
];

/** Part of the price or all of it, named. */
export const REFUND_SUM_ASKS = [
  'Could you transfer {sum} for {order} back to me?',
  'For {order} I would consider {sum} back a fair deal, as part of it is usable.',
  'I therefore claim {sum} for {order}.',
  'Please pay back {sum} of what I gave for {order}.',
  'About {order}: I would like {sum} returned to me.',
  'A repayment of {sum} on {order} would settle it for me.',
  'Regarding {order}, please reimburse {sum} to the account that I paid from.',
];

export const REFUND_SUM_BEHIND = [
  'It is about {order}, and I would like to have {sum} of it refunded.',
  'My number is {order}. What I want is simple: {sum} back in my account.',
  'Concerning {order}, of which one half was broken, I ask for {sum} in return.',
];

export const REFUND_TWO = [
  'Please refund both {order} and {order2}, I am returning everything.',
  'I would like my money back for {order} as well as for {order2}.',
  'Neither {order} nor {order2} is what I wanted, so please repay both of them.',
];
export const REFUND_TWO_SUMS = [
  'I ask for {sum} back for {order} and {sum2} back for {order2}.',
  'Please return {sum} for {order} and {sum2} for {order2} to my card.',
  'From {order} I want {sum} back; from {order2} it is {sum2}.',
];
export const REFUND_TWO_TOGETHER = [
  'Please repay {order} and {order2} in full, together that makes {sum}.',
  'Kindly refund {order} and {order2}; altogether I count {sum}.',
];

export const REFUND_NO_NUMBER = [
  'I would like to have my money back for the {item} that I bought last month.',
  'Please refund the {item}, I do not have the confirmation at hand.',
  'How do I get reimbursed for the {item}?',
];

export const REFUND_AGAIN = [
  'I asked some days ago already and see nothing on my account: please refund {order}.',
  'Once more, since nobody answers: I want the money for {order} back.',
  'Just to make sure that my first mail was not lost: could you please reimburse me for {order}?',
  'STILL WAITING for the refund of {order}!!!',
];

export const SHIPPING_NOISE = [
  'By the way, the shipping of 6.90 EUR was rather steep.',
  'The delivery cost me EUR 4.90 on top, which I do not complain about.',
];

export const BILLING_ASKS = [
  'Our accountant needs the invoice for {order} as a PDF, could you send it once more?',
  'The invoice for {order} is made out to my private name; it ought to bear the name of our company.',
  'For {order} I can find no bill at all in my mails. Where do I get one?',
  'Which VAT rate did you apply on the invoice for {order}?',
  'Our VAT number is missing on the bill of {order}.',
  'My bank statement shows a charge of yours that I cannot match; does it belong to {order}?',
  'I would like to know when the payment for {order} falls due.',
  'The address on the invoice for {order} is our old one. Can that be put right?',
  'Could you confirm that the payment for {order} has arrived? Our bookkeeping asks.',
  'Please tell me the invoice number of {order} for our tax declaration.',
  'On the statement for {order} the tax is not shown separately.',
];
export const BILLING_NO_NUMBER = [
  'Where can I find the invoices of this year?',
  'Can you send me the receipt for last month again?',
  'Why was my card charged on the first of the month?',
];

export const TECHNICAL_ASKS: readonly (readonly [topic: string, text: string])[] = [
  ['login', 'Your site does not let me in any more, although my password is certainly right.'],
  ['login', 'The mail with the link for a new password never reaches me, so I am shut out.'],
  ['login', 'Whenever I sign in I end up at the start page and am logged out again.'],
  ['login', 'It keeps telling me that my account is locked after too many attempts.'],
  ['app', 'Since the last update the app closes by itself the moment I open my wish list.'],
  ['app', 'On my tablet your application only shows a white screen.'],
  ['app', 'The app freezes on the loading picture, even after I installed it anew.'],
  ['tracking', 'The tracking link in my mail leads to a page that says that the parcel does not exist.'],
  ['tracking', 'According to the tracking my parcel has been sitting in the same depot for eight days.'],
  ['tracking', 'The shipment status has not moved since last Thursday.'],
  ['checkout', 'At the checkout the pay button stays grey whatever I click.'],
  ['checkout', 'When I want to pay, an error 502 appears and my basket is empty again.'],
  ['checkout', 'Your payment page hangs for minutes and then reports that something went wrong.'],
  ['voucher', 'The voucher code that you sent me is refused as invalid in the basket.'],
  ['voucher', 'I typed in my discount code three times, and the price does not change.'],
  ['voucher', 'My gift card is said to be expired although I got it last week.'],
];

export const SPAM_TEXTS = [
  'We can bring your website to the first page of the search engines within 30 days. Our packages start at USD 299 a month. Shall I send an offer?',
  'CONGRATULATIONS!!! Your address was drawn as the winner of 850,000 dollars. Send your bank details to claim the prize.',
  'Dear friend, I am the lawyer of a late client who left a fortune of 9,500,000 USD and no heirs. I seek a trustworthy partner.',
  'Cheap watches of all famous brands, 80 % off, only today. Click the link before it is too late.',
  'Our factory offers LED lamps at the best wholesale price. Minimum order 10417 pieces. Please contact our sales department.',
  'Earn 5,000 EUR a week from home with our new crypto trading robot. No experience needed.',
  'We buy used office furniture and pay cash. Call our hotline day and night.',
  'Increase your followers now! 20,000 real followers for 49 USD, delivered within a day.',
  'Your mailbox is almost full. Verify your password here or your account will be deleted within 24 hours.',
  'Hello, we are a leading agency for mobile apps and would love to discuss a partnership with your esteemed company.',
];

export const UNCLEAR_TEXTS = [
  'Any news?',
  'As discussed on the phone. See attachment.',
  'Is anybody there?',
  'Could somebody call me back, please?',
  'Thank you so much, the blue one is lovely!',
  'I am writing about the matter from last week.',
  'ok',
  'Is your shop in the old town open on Sundays?',
];

export const SUBJECTS = {
  refund: [
    'Order {order}',
    'Refund',
    'Return of my order',
    'Money back',
    'Complaint',
    'Problem with my order',
    'my purchase',
    'Re: your delivery',
    '{item}',
    'Return {order}',
  ],
  billing: ['Invoice', 'Question about a bill', 'Bookkeeping', 'Invoice for {order}', 'VAT', 'Our records'],
  technical: ['It does not work', 'Problem with your site', 'Help needed', 'Error', 'Trouble', 'Support request'],
  mixed: ['Two things', 'Several questions', 'My order', 'Questions', 'Once more: {order}'],
  spam: ['Great offer', 'Partnership', 'You have won', 'Business proposal', 'Important notice', 'Re: your website'],
  unclear: ['Hello', 'Question', '(no subject)', 'Re:', 'News?'],
} as const;

/** Full of numbers that are none of ours to act on. */
export const SIGNATURES = [
  '-- \n{name}\nPhone +44 20 7946 0417\nVAT ID DE129273398',
  '-- \n{name}\nHead of Purchasing, Northlight Ltd.\nRegistered no. 10417 in England, balance sheet total EUR 250,000',
  '{name}\nMobile: 0151 23456789',
  '{name}\n12 Harbour Street, 20457 Hamburg',
  '-- \n{name}\nWin 500 EUR in our prize draw: order your ticket A-99999 today!',
  'Sent from my phone',
  '{name}',
  '{name}',
];

export const QUOTES = [
  'On 12 Oct 2026, Harbour & Pine support wrote:\n> Your order {old} has been shipped. Total: EUR 118.00\n> Please keep this mail.',
  'On 3 Sep 2026 at 09:12, Harbour & Pine support wrote:\n> We have refunded EUR 20.00 for order {old}.\n> Is there anything else we can do for you?',
  '-----Original Message-----\nFrom: Harbour & Pine support\nSubject: Order {old}\n\nThank you for order {old}. We have charged EUR 75.50 to your card.',
];
