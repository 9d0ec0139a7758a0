"""Lists the words that texts of unknown origin may have right of Bronze: rooms, devices, quantities, states.

English, German, French, Italian, Spanish, Portuguese and Romanian. A word belongs here only if it says
something of a home and nothing of who lives in it: no street, no town, no month, no colour, and no word that
is a common name of people as well (`Keller`, `Max`, `Hall`). What is missing can be declared in sites.yaml.
"""

ROOMS = """
room rooms bathroom bedroom livingroom diningroom bathrooms bedrooms bhroom bdroom lvroom living bath bed
dining kitchen office study laundry utility outdoor outdoors indoor indoors outside inside house home flat
apartment entrance entry lobby corridor hallway floor attic loft cellar cupboard cabinet pantry closet
wardrobe garage carport garden wintergarden conservatory terrace balcony patio veranda porch shed workshop
storage storeroom basement staircase stairs guest guests children kids nursery shower toilet toilets wc
lavatory sauna gym library playroom boiler technical roof vault wine upstairs downstairs ground upper lower
chalet residence résidence residenz residenza immeuble gebäude bâtiment
level main back front left right top bottom centre center middle other season pool station
zimmer wohnzimmer schlafzimmer kinderzimmer badezimmer esszimmer arbeitszimmer gästezimmer bad küche büro
estrich dachboden dachstock waschküche werkstatt garten wintergarten terrasse balkon diele eingang gang flur
treppenhaus haus wohnung stube vorrat vorratskammer abstellraum raum räume dusche wohnen essen schlafen gast
gäste kinder bastelraum hobbyraum heizungsraum technikraum veranstaltung sitzplatz aussen außen innen oben
unten links rechts hinten vorne mitte stock stockwerk erdgeschoss obergeschoss untergeschoss dach chambre
chambres salon séjour cuisine bureau bain bains salle entrée couloir cave grenier atelier buanderie jardin
véranda balcon maison appartement toilettes douche manger bibliothèque rez étage dehors extérieur intérieur
haut bas gauche droite avant arrière enfants invités parents dressing combles toit camera stanza soggiorno
salotto cucina bagno ufficio corridoio ingresso cantina soffitta lavanderia giardino terrazza balcone casa
appartamento studio ripostiglio scala esterno interno bambini ospiti piano sopra sotto sinistra destra
habitación dormitorio sala cocina baño despacho oficina pasillo entrada sótano desván lavadero jardín
terraza balcón comedor cuarto escritório quarto cozinha banheiro corredor varanda sótão lavandaria garagem
jardim camere dormitor amis suite piscine piscina cameretta grande piccolo piccola pranzo letto banho quarto
principal principale master family og eg ug dg mezzanine zone zones chaufferie palier escalier 
local technique heizraum hauswirtschaftsraum abstellkammer speisekammer ankleide ankleidezimmer eltern
elternschlafzimmer spielzimmer musikzimmer matrimoniale servizio serviço mansarda terrazzo entryway foyer
mudroom deck lounge landing cloakroom spare box estar jantar crianças hóspedes despensa arrecadação entrée
camere dormitor sufragerie bucătărie baie birou hol pivniță pod grădină
"""

DEVICES = """
plug plugs socket sockets outlet switch switches door doors window windows motion motions sensor sensors
meter meters climate weather thermostat radiator radiators heater heating heatpump cooler cooling
ventilation ventilator fan fans valve valves lamp lamps light lights lighting blind blinds shutter shutters
curtain gate lock camera alarm siren smoke detector contact contacts relay gateway hub bridge router server
fridge refrigerator freezer oven stove cooktop hob cooker microwave kettle toaster coffee machine dishwasher
washer washing dryer drier iron vacuum television tv screen monitor display computer desktop laptop printer
charger charging car vehicle battery batteries inverter solar panel panels photovoltaic pv grid mains pump
boiler appliance appliances device devices module unit units controller controllers tank consumption
consumptions meteo meteos humidities waters opening openings wallbox hood mixer speaker music radio console
toothbrush steckdose steckdosen schalter tür türen fenster bewegung bewegungsmelder sensoren zähler
stromzähler heizung lüftung ventil lampe lampen leuchte licht storen rollladen tor schloss rauchmelder
kühlschrank gefrierschrank tiefkühler herd backofen kochfeld mikrowelle wasserkocher kaffeemaschine maschine
geschirrspüler waschmaschine tumbler trockner bügeleisen staubsauger fernseher drucker rechner auto
ladestation batterie speicher wärmepumpe pumpe gerät geräte prise prises interrupteur porte portes fenêtre
fenêtres mouvement capteur capteurs compteur chauffage radiateur vanne lumière store volet portail serrure
détecteur fumée frigo réfrigérateur congélateur four cuisinière plaque bouilloire cafetière lave vaisselle
linge sèche télévision téléviseur ordinateur imprimante voiture chargeur pompe chaleur appareil appareils
presa prese interruttore porta finestra finestre movimento sensore sensori contatore riscaldamento valvola
lampada tapparella cancello serratura fumo frigorifero congelatore forno lavatrice lavastoviglie
asciugatrice televisore macchina pompa apparecchio enchufe interruptor puerta ventana movimiento contador
calefacción lámpara nevera horno lavadora lavavajillas tomada janela medidor aquecimento geladeira priză
ușă fereastră contor încălzire frigider cuptor
"""

QUANTITIES = """
temperature temperatures humidity humid pressure noise power energy current voltage frequency phase phases
factor counter counters total totals sum count number values value level levels rate flow volume speed
distance height width length depth angle tilt position direction wind rain rainfall snow sunshine radiation
irradiance illuminance illumination brightness luminosity air quality carbon dioxide monoxide oxygen ozone
particulate matter co co2 no2 pm voc tvoc pf dust pollen formaldehyde methane radon gas gases water moisture
leak leakage soil absolute relative active reactive apparent import export imported exported produced
consumed production setpoint target threshold limit minimum maximum min mean average median today yesterday
hourly daily weekly monthly yearly hour hours minute minutes second seconds day days week time uptime
duration interval age signal strength percent percentage share index valid serial model version firmware
hardware software build revision protocol channel mode state status type kind class category severity reason
defense overpower overtemperature presence occupancy occupied person people persons vibration acceleration
shock weight conductivity acidity salinity turbidity chlorine trace debug note notes surge sound errors error
warning log event events feed data info measure measurement measurements reading readings raw test sample
linkquality outage lock child local system preset heating demand detection formaldehyd action color behavior
apower aenergy act freq ret rssi ram fs free cfg rev timer remaining returned emeter emeters relays source
friendly attribution icon entity id changed context restored supported features hvac modes temp dew point
bearing uv precipitation probability feed consumption soc soh seen has string tc tf effect transition
site prediction forecast profile cost price tariff temperatur temperaturen feuchte luftfeuchtigkeit
feuchtigkeit druck luftdruck lärm leistung energie strom spannung frequenz zählerstand wert werte stufe
fluss durchfluss menge geschwindigkeit regen schnee helligkeit luft qualität kohlendioxid wasser dauer
zustand anzahl sonne température humidité pression bruit puissance énergie courant tension fréquence valeur
valeurs niveau débit vitesse vent pluie neige luminosité qualité eau durée état nombre soleil temperatura
umidità pressione rumore potenza corrente tensione frequenza valore livello portata velocità vento pioggia
neve luminosità qualità acqua durata stato numero humedad presión ruido potencia energía corriente
tensión frecuencia valor nivel agua viento lluvia aire umidade pressão energia água umiditate presiune
putere curent apă vânt ploaie aer
"""

UNITS = """
w kw wh kwh mwh wmin v mv ma ah mah hz khz db dba lux lx ppm ppb pa hpa kpa mbar bar c f k mm cm m km s ms
min h d kg g mg l ml ug rh ph va kva var ghz mhz dbm inch inches foot feet mile mph kmh kn watt
volt volts ampere amperes degree degrees knots bytes kb mb gb kj mj j bft furlong furlongs cd
"""

STATES = """
on off open opened closed close shut true false yes no ok none null nan auto automatic manual eco comfort
standby idle running run stopped stop started start paused pause ready busy finished finish done waiting
wait active inactive enabled disabled enable disable online offline connected disconnected available
unavailable unknown undefined empty full low medium high normal warning error fault failed failure alarm
ajar broken tilted locked unlocked dry wet hot cold warm cool heat cooling heating away night holiday
vacation boost charging discharging charged good fair poor bad moderate excellent calm quiet loud dark
bright dim clear cloudy rainy sunny snowy foggy windy stormy up down rising falling stable stale missing
invalid new old first last present absent detected undetected motion clean dirty defrost party sleep
awake dnd soon late early never always once not refused answer from the of at is are since for and or to by
with without cannot parse got file cut too long short large small seconds sensible such one two three four
inf infinity offen geöffnet geschlossen zu auf ein aus an ja nein wahr falsch gekippt automatisch manuell
bereit läuft fertig fehler störung niedrig mittel hoch gut schlecht kalt heiss heiß trocken nass leer voll
unbekannt verbunden getrennt anwesend abwesend nacht tag ferien aktiv inaktiv ouvert ouverte fermé fermée
oui non vrai faux allumé éteint marche arrêt automatique prêt erreur défaut faible moyen élevé bon
mauvais froid chaud humide vide plein inconnu connecté déconnecté présent nuit jour vacances actif inactif
absente présente aperto aperta chiuso chiusa sì vero falso acceso spento automatico manuale pronto errore
guasto basso medio alto buono cattivo freddo caldo secco bagnato vuoto pieno sconosciuto connesso notte
giorno attivo inattivo abierto abierta cerrado cerrada sí verdadero encendido apagado bueno malo frío
caliente aberto aberta fechado fechada sim não ligado desligado deschis deschisă închis închisă da nu pornit
oprit only hold schedule antifreeze frostschutz preheating drying defrosting closing opening locking unlocking
calibrating jammed alive dead asleep initializing init booting updating updated update downloading installing
single double triple release press push toggle step recall arrow rotate play input output usb lan wifi
ble zigbee zwave thread mqtt http ip static dhcp ac dc overtemp overload overvoltage undervoltage short
circuit load underpower critical cleared flood tamper tampered safe unsafe problem armed disarmed
pending triggered arming pouring lightning hail fog partlycloudy exceptional unhealthy hazardous steady very
increasing decreasing connecting peak confort komfort betrieb automatik handbetrieb absenkung urlaub réduit
economia antigelo conforto económico anticongelante hochtarif niedertarif sunset sunrise
des di de d du la le
"""

FORECASTS = """
pred prec tot glob ctrl stde relhum clct clcl clcm clch albedo rad dir dif aswdir aswdifd asob athb
pmsl dewpoint gust gusts hsnow hzerocl tmin tmax cape sunshine cover clouds cloud cloudiness visibility qnh
qfe
"""
"""Parts of the names of forecasts' measurements."""

STATIONS = """
Aadorf / Tänikon|Acquarossa / Comprovasco|Adelboden|Aigle|Altdorf|Andeer|Arosa|Bad Ragaz|Bantiger
Basel / Binningen|Bern / Zollikofen|Beznau|Biasca|Bière|Binn|Blatten, Lötschental|Boltigen|Bouveret|Brienz
Buchs / Aarau|Buffalora|Bullet / La Frétaz|Cevio|Cham|Chasseral|Chaumont|Chur|Château-d'Oex|Cimetta
Col du Grand St-Bernard|Courtelary|Crap Masegn|Davos|Delémont|Disentis|Ebnat-Kappel|Egolzwil|Einsiedeln|Elm
Engelberg|Evionnaz|Evolène / Villa|Fahy|Fribourg / Grangeneuve|Genève / Cointrin|Gersau|Giswil|Glarus
Gornergrat|Grenchen|Grimsel Hospiz|Grono|Grächen|Gösgen|Güttingen|Gütsch, Andermatt|Hallau|Ilanz|Interlaken
Jungfraujoch|Koppigen|La Brévine|La Chaux-de-Fonds|La Dôle|Langnau i.E.|Le Moléson|Les Attelas
Les Charbonnières|Les Diablerets|Les Marécottes|Locarno / Monti|Lugano|Luzern|Magadino / Cadenazzo|Marsens
Mathod|Matro|Meiringen|Monte Generoso|Monte Rosa-Plattje|Montagnier, Bagnes|Montana|Mosen|Mottec|Möhlin
Mühleberg|Napf|Naluns / Schlivera|Neuchâtel|Nyon / Changins|Oron|Passo del Bernina|Payerne|Pilatus|Piotta
Piz Corvatsch|Piz Martegnas|Plaffeien|Poschiavo / Robbia|Pully|Robièi|Rünenberg|S. Bernardino|Salen-Reutenen
Samedan|Schaffhausen|Schmerikon|Scuol|Segl-Maria|Simplon-Dorf|Sion|St-Prex|St. Chrischona|St. Gallen|Stabio
Sta. Maria, Val Müstair|Steckborn|Säntis|Thun|Titlis|Ulrichen|Vaduz|Valbella|Vals|Vevey / Corseaux
Vicosoprano|Visp|Weissfluhjoch|Wynau|Wädenswil|Zermatt|Zürich / Affoltern|Zürich / Fluntern|Zürich / Kloten
"""
"""Names of the stations of MeteoSwiss's public network, each whole: a town alone is part of an address."""

PLACES = frozenset(" ".join((ROOMS, DEVICES)).split())
PARTS = frozenset(" ".join((ROOMS, DEVICES, QUANTITIES, FORECASTS)).split())
"""What compounds are made of: units and states are parts of people's names (`Barlow`, `Gastone`)."""
MEASURES = frozenset(UNITS.split())
WORDS = frozenset(" ".join((ROOMS, DEVICES, QUANTITIES, UNITS, STATES, FORECASTS)).split())
SITES = frozenset(name for line in STATIONS.strip().split("\n") for name in line.split("|"))
