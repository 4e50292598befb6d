package receipt

// said is a text in both languages. Slips are read out of hand by people who do
// not choose a language first, so the labels carry both.
type said struct{ zh, en string }

// label is how both stand before a value.
func (s said) label(l Languages) string {
	if l == EnglishOnly || s.zh == "" {
		return s.en
	}
	return s.zh + " " + s.en
}

// Languages says what a slip is written in: Chinese and English, the
// passenger's first; or English alone, for a printer without Chinese characters.
type Languages uint8

const (
	ChineseFirst Languages = iota
	EnglishFirst
	EnglishOnly
)

// each gives a text in the order of the languages.
func (s said) each(l Languages) []string {
	switch l {
	case EnglishOnly:
		return []string{s.en}
	case EnglishFirst:
		return []string{s.en, s.zh}
	}
	return []string{s.zh, s.en}
}

var (
	wordClaim    = said{"受理编号", "Claim no."}
	wordWhen     = said{"日期时间", "Date/time"}
	wordKiosk    = said{"设备", "Machine"}
	wordTerminal = said{"终端号", "Terminal"}
	wordMerchant = said{"商户号", "Merchant"}
	wordBank     = said{"银行卡", "Bank card"}
	wordEntry    = said{"读卡方式", "Read"}
	wordPaid     = said{"交易金额", "Amount paid"}
	wordSTAN     = said{"凭证号", "Trace (STAN)"}
	wordBatch    = said{"批次号", "Batch"}
	wordRRN      = said{"参考号", "Reference (RRN)"}
	wordAuth     = said{"授权码", "Authorisation"}
	wordRefund   = said{"退款凭证号", "Refund trace"}
	wordApp      = said{"应用", "Application"}
	wordTransit  = said{"交通卡", "Transit card"}
	wordTopUp    = said{"充值金额", "Top-up"}
	wordOld      = said{"原余额", "Balance before"}
	wordNew      = said{"现余额", "Balance now"}
	wordLoaded   = said{"写卡时间", "Written on card"}
	wordHotline  = said{"服务电话", "Hotline"}
	wordReprint  = said{"重印", "REPRINT"}
	wordLocal    = said{"(设备时间)", "(machine's time)"}
	wordElse     = said{"已在别处付款", "Paid elsewhere"}
	wordContact  = said{"插卡", "chip, in the slot"}
	wordNear     = said{"闪付", "contactless"}
	wordPIN      = said{"已验密码", "PIN verified online"}
	wordNoPIN    = said{"免密", "no PIN"}
	wordScan     = said{"报出此号或扫码查询", "Quote this number, or scan"}
)

// titles are what the slip says in large letters, texts the sentence below.
var titles = map[Ending]said{
	Done:       {"充值成功", "TOPPED UP"},
	Back:       {"未充值 退款处理中", "MONEY GOING BACK"},
	Returned:   {"未充值 已退款", "MONEY RETURNED"},
	Unfinished: {"未完成 请保留此单", "NOT FINISHED"},
	Waits:      {"已付款 未写卡", "PAID, NOT ON CARD"},
	Staff:      {"已转人工处理", "WITH OUR STAFF"},
	Credited:   {"人工核定 已到卡", "DECIDED: ON CARD"},
	PaidOut:    {"人工核定 已付现金", "DECIDED: PAID OUT"},
	Refund:     {"人工核定 退款中", "DECIDED: REFUND"},
	ToCollect:  {"待领取", "TO BE COLLECTED"},
}

var texts = map[Ending]said{
	Done:       {"金额已写入交通卡。", "The amount is on the transit card."},
	Back:       {"交通卡未充值。如已扣款，款项将退回原银行卡；本机会一直发送直到银行确认，无需您操作。请保留此单。", "The transit card was not topped up. What was taken goes back to the bank card; this machine asks for it until the bank confirms. You need do nothing. Keep this slip."},
	Returned:   {"交通卡未充值。银行已确认退款，到账时间以银行为准。", "The transit card was not topped up. The bank has confirmed that the money goes back; when it is credited is up to the bank."},
	Unfinished: {"尚不知是否已写入交通卡。请将同一张卡再次放在本机或柜台读卡器上，即可查明并补写或退款。请保留此单。", "It is not known yet whether the amount is on the card. Put the same card on this machine or on the desk's reader: it finds out, and completes the top-up or returns the money. Keep this slip."},
	Waits:      {"已付款，确未写入交通卡。请将同一张卡再次放在读卡器上；逾时未写的款项自动退回。请保留此单。", "Paid, and surely not on the card. Put the same card on the reader again; what is not written in time goes back by itself. Keep this slip."},
	Staff:      {"本笔已登记并交由工作人员处理。请保留此单并致电。", "This case is recorded and with our staff. Keep this slip and call us."},
	Credited:   {"工作人员核定：金额视为已在卡上。", "Our staff have decided: the amount counts as on the card."},
	PaidOut:    {"工作人员核定：款项已以现金付还。", "Our staff have decided: the money was given back in cash."},
	Refund:     {"工作人员核定：款项退回原银行卡。请保留此单。", "Our staff have decided: the money goes back to the bank card. Keep this slip."},
	ToCollect:  {"在别处支付的充值仍待写卡，可在任一台设备上领取。", "A top-up that was paid elsewhere still waits for this card. It can be collected at any machine."},
}
